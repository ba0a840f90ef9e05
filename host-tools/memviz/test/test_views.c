// SPDX-License-Identifier: MIT
/* The pure parts of the live interface: everything that needs no terminal and no session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app.h"
#include "canvas.h"
#include "command.h"
#include "curve.h"
#include "fuzzy.h"
#include "glyph.h"
#include "graph.h"
#include "grid.h"
#include "keys.h"
#include "layout.h"
#include "lineedit.h"
#include "pagetree.h"
#include "sitedata.h"
#include "slabdata.h"
#include "table.h"
#include "theme.h"

#include <json-c/json.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed = 88172645463325252ull;

static unsigned random_below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 16) % n;
}

/* ---- layout ---- */

static void cuts_never_take_more_than_there_is(void **state)
{
	struct mv_rect r = mv_rect(2, 3, 10, 20);
	struct mv_rect top = mv_cut_top(&r, 4);

	(void)state;
	assert_int_equal(top.rows, 4);
	assert_int_equal(r.row, 6);
	assert_int_equal(mv_cut_bottom(&r, 100).rows, 6);
	assert_int_equal(r.rows, 0);
	assert_int_equal(mv_cut_left(&r, -5).cols, 0);
	struct mv_rect right = mv_cut_right(&r, 8);

	assert_int_equal(right.col, 15);
	assert_int_equal(r.cols, 12);
	struct mv_rect c = mv_center(mv_rect(0, 0, 24, 80), 10, 200);

	assert_int_equal(c.cols, 80);
	assert_int_equal(c.row, 7);
	assert_true(mv_inside(c, 7, 79));
	assert_false(mv_inside(c, 17, 0));
	assert_int_equal(mv_room_of(24, 80), ROOM_SMALL);
	assert_int_equal(mv_room_of(40, 120), ROOM_MEDIUM);
	assert_int_equal(mv_room_of(60, 200), ROOM_LARGE);
	assert_int_equal(mv_room_of(10, 200), ROOM_TINY);
}

/* ---- canvas ---- */

static void assert_screen(const struct mv_canvas *c, const char *want)
{
	char *have = mv_canvas_dump(c);

	assert_string_equal(have, want);
	free(have);
}

static void text_is_clipped_fitted_and_made_safe(void **state)
{
	struct mv_canvas c = {0};

	(void)state;
	assert_true(mv_canvas_resize(&c, 6, 12));
	mv_text(&c, 0, -2, ST_TEXT, "abcdefghijklmnop");
	mv_text(&c, 1, 0, ST_TEXT, "\xff\xfe\x1b[31m\tz");
	mv_text(&c, 2, 0, ST_TEXT, "漢字x");
	mv_put(&c, 2, 1, L'!', ST_TEXT); /* tears the first one apart */
	mv_text_fit(&c, 3, 0, 6, false, ST_TEXT, "abcdefgh");
	mv_text_right(&c, 3, 6, 6, ST_TEXT, "42");
	mv_text_fit(&c, 4, 0, 3, false, ST_TEXT, "漢字");
	mv_text(&c, 99, 0, ST_TEXT, "nowhere");
	mv_canvas_clip(&c, mv_rect(5, 2, 1, 3));
	mv_text(&c, 5, 0, ST_TEXT, "abcdefgh");
	assert_screen(&c, "cdefghijklmn\n"
			  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd[31m z\n"
			  " !字x\n"
			  "abcde…    42\n"
			  "漢…\n"
			  "  cde\n");
	mv_canvas_free(&c);
}

static void ascii_mode_puts_nothing_else(void **state)
{
	struct mv_canvas c = {0};

	(void)state;
	assert_true(mv_canvas_resize(&c, 4, 14));
	c.ascii = true;
	mv_box(&c, mv_rect(0, 0, 3, 14), ST_BORDER, ST_TITLE, "über");
	mv_text_fit(&c, 3, 0, 5, false, ST_TEXT, "abc漢de");
	assert_screen(&c, "+- ?ber -----+\n|            |\n+------------+\nabc~\n");
	for (int i = 0; i < c.rows * c.cols; i++)
		assert_true(c.cells[i].ch < 0x80);
	mv_canvas_free(&c);
}

static void any_bytes_end_and_keep_their_width(void **state)
{
	struct mv_canvas c = {0};
	char text[40];

	(void)state;
	assert_true(mv_canvas_resize(&c, 1, 60));
	for (int round = 0; round < 20000; round++) {
		unsigned n = random_below(sizeof(text) - 1);

		for (unsigned i = 0; i < n; i++)
			text[i] = (char)(1 + random_below(255));
		text[n] = '\0';
		assert_int_equal(mv_text(&c, 0, 0, ST_TEXT, text), mv_text_width(text));
		mv_text_fit(&c, 0, (int)random_below(60) - 5, (int)random_below(20), true, ST_TEXT,
			    text);
		/* No half of a wide character stands alone. */
		for (int i = 0; i < 60; i++)
			if (!c.cells[i].ch)
				assert_true(i > 0 && c.cells[i - 1].ch >= 0x1100);
	}
	mv_canvas_free(&c);
}

/* ---- theme ---- */

static void depth_follows_terminal_options_and_no_color(void **state)
{
	(void)state;
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_AUTO, 256, NULL), 256);
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_AUTO, 88, NULL), 16);
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_AUTO, 8, ""), 8);
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_AUTO, -1, NULL), 1);
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_AUTO, 256, "1"), 1);
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_256, 8, NULL), 8);
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_16, 256, "1"), 16);
	assert_int_equal(mv_theme_depth(MV_TUI_COLORS_MONO, 256, NULL), 1);
	assert_int_equal(mv_theme_resolve(MV_TUI_THEME_AUTO, "15;0"), MV_TUI_THEME_DARK);
	assert_int_equal(mv_theme_resolve(MV_TUI_THEME_AUTO, "0;default;15"), MV_TUI_THEME_LIGHT);
	assert_int_equal(mv_theme_resolve(MV_TUI_THEME_AUTO, "0;default"), MV_TUI_THEME_DARK);
	assert_int_equal(mv_theme_resolve(MV_TUI_THEME_LIGHT, "15;0"), MV_TUI_THEME_LIGHT);
	assert_int_equal(mv_tui_colors_parse("256"), 256);
	assert_int_equal(mv_tui_colors_parse("red"), -1);
	assert_int_equal(mv_tui_theme_parse("light"), MV_TUI_THEME_LIGHT);
}

static bool same_look(struct mv_look a, struct mv_look b)
{
	return a.fg == b.fg && a.bg == b.bg && a.attr == b.attr;
}

static void states_differ_and_no_dark_blue_is_used(void **state)
{
	static const enum mv_tui_colors depths[] = {MV_TUI_COLORS_8, MV_TUI_COLORS_16,
						    MV_TUI_COLORS_256};

	(void)state;
	for (size_t d = 0; d < COUNT(depths); d++)
		for (int theme = MV_TUI_THEME_DARK; theme <= MV_TUI_THEME_LIGHT; theme++)
			for (int a = ST_F_FREE; a <= ST_F_RESERVED; a++)
				for (int b = ST_F_FREE; b < a; b++)
					assert_false(
						same_look(mv_theme_look((enum mv_style)a, depths[d],
									(enum mv_tui_theme)theme),
							  mv_theme_look((enum mv_style)b, depths[d],
									(enum mv_tui_theme)theme)));
	for (int st = 0; st < ST_COUNT; st++) {
		struct mv_look dark = mv_theme_look((enum mv_style)st, 256, MV_TUI_THEME_DARK);
		struct mv_look c8 = mv_theme_look((enum mv_style)st, 8, MV_TUI_THEME_DARK);
		struct mv_look mono = mv_theme_look((enum mv_style)st, 1, MV_TUI_THEME_DARK);

		assert_true(c8.fg != 4 && dark.fg != 4 && !(dark.fg >= 17 && dark.fg <= 21));
		assert_true(mono.fg == -1 && mono.bg == -1);
		assert_true(dark.fg != dark.bg || dark.fg == -1);
	}
	/* Letters tell the states apart where colours cannot. */
	for (int a = 0; a < KIND_COUNT; a++)
		for (int b = 0; b < a; b++)
			assert_int_not_equal(mv_kinds[a].letter, mv_kinds[b].letter);
}

/* ---- curve ---- */

static void hilbert_visits_every_cell_once_stepping_to_a_neighbour(void **state)
{
	struct mv_curve v = {0};

	(void)state;
	for (int rows = 1; rows <= 40; rows++)
		for (int cols = 1; cols <= 70; cols += rows < 10 ? 1 : 3) {
			int diagonal = 0, n = rows * cols;

			assert_true(mv_curve_build(&v, rows, cols, true));
			for (int i = 0; i < n; i++) {
				int cell = v.cell_of[i];

				assert_in_range(cell, 0, n - 1);
				assert_int_equal(v.line_of[cell], i);
				if (!i)
					continue;
				int dr = abs(cell / cols - v.cell_of[i - 1] / cols);
				int dc = abs(cell % cols - v.cell_of[i - 1] % cols);

				assert_true(dr <= 1 && dc <= 1 && dr + dc >= 1);
				diagonal += dr + dc == 2;
			}
			assert_true(diagonal <= 1);
		}
	assert_false(mv_curve_build(&v, 0, 5, true));
	mv_curve_free(&v);
}

/* ---- graph ---- */

static void graph_draws_outline_filling_and_scale(void **state)
{
	struct mv_canvas c = {0};
	const struct mv_point p[] = {
		{0, 0},
		{1, 0},
		{2, 0},
		{4, 4},
		{8, 4},
		{8, 4}
	      };

	(void)state;
	assert_true(mv_canvas_resize(&c, 2, 4));
	mv_graph(&c, mv_rect(0, 0, 2, 4), p, COUNT(p), 8, ST_G_USED, ST_G_CACHE);
	assert_screen(&c, "   ⢝\n ⢀⢼⣿\n");
	assert_int_equal(c.cells[3].style, ST_G_USED);
	assert_int_equal(c.cells[7].style, ST_G_CACHE);
	mv_canvas_clear(&c);
	c.ascii = true;
	mv_graph(&c, mv_rect(0, 0, 2, 4), p, COUNT(p), 8, ST_G_USED, ST_G_CACHE);
	assert_screen(&c, "  ##\n-#::\n");
	mv_canvas_clear(&c);
	mv_graph(&c, mv_rect(0, 0, 2, 4), p, COUNT(p), 0, ST_G_USED, ST_G_CACHE);
	assert_screen(&c, "\n\n");
	mv_canvas_free(&c);
}

static void ceilings_are_round_and_not_below(void **state)
{
	(void)state;
	assert_true(mv_nice_ceiling(0, true) == 1);
	assert_true(mv_nice_ceiling(97, false) == 100);
	assert_true(mv_nice_ceiling(96.0 * 1048576, true) == 96.0 * 1048576);
	assert_true(mv_nice_ceiling(1000.0 * 1024, true) == 1024.0 * 1024);
	for (double v = 0.3; v < 1e15; v *= 1.07) {
		assert_true(mv_nice_ceiling(v, true) >= v && mv_nice_ceiling(v, true) <= v * 4);
		assert_true(mv_nice_ceiling(v, false) >= v && mv_nice_ceiling(v, false) <= v * 4);
	}
}

static void bars_show_every_part_that_is_there(void **state)
{
	struct mv_canvas c = {0};
	const struct mv_bar_part two[] = {
		{1,   ST_G_USED },
		{500, ST_G_CACHE}
	 };
	const struct mv_bar_part one[] = {
		{300, ST_G_USED}
	};

	(void)state;
	assert_true(mv_canvas_resize(&c, 3, 10));
	mv_bar(&c, 0, 0, 10, two, 2, 1000);
	mv_bar(&c, 1, 0, 10, one, 1, 1000);
	mv_bar(&c, 2, 0, 10, one, 1, 0);
	assert_screen(&c, "██████────\n███───────\n──────────\n");
	assert_int_equal(c.cells[0].style, ST_G_USED);
	assert_int_equal(c.cells[1].style, ST_G_CACHE);
	mv_canvas_free(&c);
}

/* ---- search ---- */

static void fuzzy_ranks_words_before_scraps(void **state)
{
	(void)state;
	assert_int_equal(mv_fuzzy("zz", "freeze"), 0);
	assert_true(mv_fuzzy("", "anything") > 0);
	assert_true(mv_fuzzy("free", "free frames") > mv_fuzzy("free", "freeze the view"));
	assert_true(mv_fuzzy("free", "freeze the view") > mv_fuzzy("free", "unfreezable"));
	assert_true(mv_fuzzy("mm", "memory map") > 0);
	assert_true(mv_fuzzy("MAP mem", "memory map") > 0);
	assert_int_equal(mv_fuzzy("map xyz", "memory map"), 0);
	assert_true(mv_filter_match("kmal churn", "kmalloc 32 churn_run"));
	assert_false(mv_filter_match("kmal !churn", "kmalloc 32 churn_run"));
	assert_true(mv_filter_match("!", "with an exclamation mark!"));
	assert_true(mv_filter_match("  ", "x"));
}

/* ---- keys ---- */

static void every_key_means_one_thing_in_each_place(void **state)
{
	(void)state;
	for (unsigned view = 1; view <= CTX_LIST; view <<= 1)
		for (size_t i = 0; i < mv_binding_count; i++)
			for (size_t k = 0; k < i; k++) {
				const struct mv_binding *a = &mv_bindings[i], *b = &mv_bindings[k];
				/* A replay may take keys from the screen; nobody else may. */
				if ((b->where ^ a->where) & CTX_REPLAY ||
				    !(a->where & b->where & view) || a->action == b->action)
					continue;
				for (int x = 0; x < 5 && a->keys[x]; x++)
					for (int y = 0; y < 5 && b->keys[y]; y++)
						if (a->keys[x] == b->keys[y])
							fail_msg("'%s' and '%s' share a key",
								 a->help, b->help);
			}
}

static void keys_of_the_issue_do_what_it_says(void **state)
{
	static const struct {
		int key;
		enum mv_action action;
	} wanted[] = {
		{' ',	      ACT_FREEZE	},
		{'s',	      ACT_SORT	      },
		{'f',	      ACT_FILTER	},
		{'a',	      ACT_ALLOC      },
		{'m',	      ACT_MAP	     },
		{'u',	      ACT_UNMAP      },
		{'d',	      ACT_FREE	      },
		{'x',	      ACT_MARK	      },
		{'r',	      ACT_RECORD	},
		{'q',	      ACT_QUIT	      },
		{':',	      ACT_COMMAND	 },
		{'/',	      ACT_SEARCH	},
		{'?',	      ACT_HELP	      },
		{'M',	      ACT_MOUSE      },
		{'1',	      ACT_SCREEN_1	  },
		{'6',	      ACT_SCREEN_6	  },
		{'j',	      ACT_DOWN	      },
		{MVK_UP,	 ACT_UP	       },
		{MVK_TAB,	  ACT_NEXT_SCREEN},
		{MVK_ENTER,	    ACT_OPEN	    },
		{MVK_BACKSPACE, ACT_BACK	}
	 };

	(void)state;
	for (size_t i = 0; i < COUNT(wanted); i++)
		assert_int_equal(mv_keys_action(wanted[i].key, CTX_SLABS | CTX_LIVE),
				 wanted[i].action);
	assert_int_equal(mv_keys_action('a', CTX_SLABS), ACT_NONE); /* nothing to act on */
	assert_int_equal(mv_keys_action(' ', CTX_MAP | CTX_REPLAY), ACT_PLAY);
	assert_int_equal(mv_keys_action(MVK_LEFT, CTX_MAP | CTX_REPLAY), ACT_LEFT);
	assert_int_equal(mv_keys_action(MVK_LEFT, CTX_MAP | CTX_REPLAY | CTX_TIMELINE),
			 ACT_STEP_BACK);
	assert_int_equal(mv_keys_action('+', CTX_MAP), ACT_ZOOM_IN);
	assert_int_equal(mv_keys_action('+', CTX_LOG), ACT_NONE);
}

static void footer_and_help_come_from_the_same_table(void **state)
{
	const struct mv_binding *out[128];
	bool help_there = false;
	size_t n = mv_keys_footer(CTX_MAP | CTX_LIVE, out, 128);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		help_there |= out[i]->action == ACT_HELP;
		assert_non_null(out[i]->hint);
		assert_int_equal(mv_keys_action(out[i]->keys[0], CTX_MAP | CTX_LIVE),
				 out[i]->action);
		assert_true(i == 0 || out[i - 1]->rank <= out[i]->rank);
	}
	assert_true(help_there);
	n = mv_keys_footer(CTX_MAP | CTX_REPLAY, out, 128);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(out[i]->action, ACT_FREEZE); /* Space plays there */
	assert_int_equal(mv_keys_help(CTX_MAP, "", out, 128), mv_binding_count);
	assert_true(mv_keys_help(CTX_MAP, "hilbert", out, 128) >= 1);
	assert_int_equal(out[0]->action, ACT_ORDER);
	assert_int_equal(mv_keys_help(CTX_MAP, "qqqq", out, 128), 0);
	assert_int_equal(mv_keys_help(CTX_MAP, "", out, 3), 3);
}

/* ---- lines ---- */

static void type_text(struct mv_line *l, const char *text)
{
	for (wchar_t ch; (ch = mv_utf8_next(&text));)
		mv_line_key(l, NULL, (int)ch);
}

static void lines_edit_as_a_shell_does(void **state)
{
	struct mv_line l;

	(void)state;
	mv_line_set(&l, "");
	type_text(&l, "kmalloc äö80");
	assert_string_equal(l.text, "kmalloc äö80");
	mv_line_key(&l, NULL, MVK_LEFT);
	mv_line_key(&l, NULL, MVK_LEFT);
	mv_line_key(&l, NULL, MVK_BACKSPACE);
	assert_string_equal(l.text, "kmalloc ä80");
	mv_line_key(&l, NULL, 'w' & 0x1f);
	assert_string_equal(l.text, "kmalloc 80");
	mv_line_key(&l, NULL, MVK_HOME);
	mv_line_key(&l, NULL, MVK_DELETE);
	assert_string_equal(l.text, "malloc 80");
	mv_line_key(&l, NULL, 'k' & 0x1f);
	assert_string_equal(l.text, "");
	assert_int_equal(mv_line_key(&l, NULL, MVK_ENTER), LINE_DONE);
	assert_int_equal(mv_line_key(&l, NULL, MVK_ESCAPE), LINE_CANCEL);
	assert_int_equal(mv_line_key(&l, NULL, MVK_TAB), LINE_COMPLETE);
	assert_int_equal(mv_line_key(&l, NULL, MVK_F1), LINE_NOTHING);
}

static void history_recalls_and_gives_back_what_was_typed(void **state)
{
	struct mv_history h = {0}, again = {0};
	struct mv_line l;
	char path[] = "/tmp/memviz-history-XXXXXX", text[32];

	(void)state;
	mv_history_add(&h, "stat");
	mv_history_add(&h, "zones");
	mv_history_add(&h, "zones");
	mv_history_add(&h, "");
	assert_int_equal(h.count, 2);
	mv_line_set(&l, "kma");
	mv_line_key(&l, &h, MVK_UP);
	assert_string_equal(l.text, "zones");
	mv_line_key(&l, &h, MVK_UP);
	mv_line_key(&l, &h, MVK_UP);
	assert_string_equal(l.text, "stat");
	mv_line_key(&l, &h, MVK_DOWN);
	mv_line_key(&l, &h, MVK_DOWN);
	assert_string_equal(l.text, "kma");
	int fd = mkstemp(path);

	close(fd);
	assert_true(mv_history_save(&h, path));
	mv_history_load(&again, path);
	assert_int_equal(again.count, 2);
	assert_string_equal(again.lines[1], "zones");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unlink(path);
	for (int i = 0; i < 600; i++) {
		snprintf(text, sizeof(text), "%d", i);
		mv_history_add(&h, text);
	}
	assert_int_equal(h.count, 500);
	assert_string_equal(h.lines[499], "599");
	assert_false(mv_history_save(&h, "/nowhere/at/all"));
	mv_history_free(&h);
	mv_history_free(&again);
}

static void any_keys_leave_a_sound_line(void **state)
{
	struct mv_line l;
	struct mv_history h = {0};
	struct mv_canvas c = {0};

	(void)state;
	mv_history_add(&h, "ein Wörtchen");
	mv_history_add(&h, "漢字");
	assert_true(mv_canvas_resize(&c, 1, 20));
	mv_line_set(&l, "");
	for (int i = 0; i < 50000; i++) {
		int key = random_below(3) ? (int)random_below(0x300)
					  : (int)(KEY_BASE_ + random_below(20));

		mv_line_key(&l, &h, random_below(50) ? key : 0x6f22);
		assert_int_equal(strlen(l.text), l.len);
		assert_true(l.cursor <= l.len && l.len < LINE_MAX_BYTES);
		assert_true(((unsigned char)l.text[l.cursor] & 0xc0) != 0x80);
		int at = mv_line_draw(&l, &c, 0, 2, 10, ST_TEXT);

		assert_in_range(at, 2, 12);
	}
	mv_canvas_free(&c);
	mv_history_free(&h);
}

/* ---- tables ---- */

struct people {
	const char *name[8];
	int age[8];
};

static void person_text(void *ctx, size_t i, int col, char *out, size_t size)
{
	struct people *p = ctx;

	if (col == 0)
		snprintf(out, size, "%s", p->name[i]);
	else
		snprintf(out, size, "%d", p->age[i]);
}

static double person_key(void *ctx, size_t i, int col)
{
	(void)col;
	return ((struct people *)ctx)->age[i];
}

static uint64_t person_id(void *ctx, size_t i)
{
	return (uint64_t)(uintptr_t)((struct people *)ctx)->name[i];
}

static void tables_sort_filter_and_keep_their_selection(void **state)
{
	static const struct mv_column columns[] = {
		{.title = "NAME", .width = 6, .flexible = true, .by_text = true,	 .up_first = true},
		{.title = "AGE",		 .width = 4,	     .right = true,    .priority = 1}
	  };
	struct people p = {
		{"Ada", "Bob", "Cyn", "Dan"},
		      {36,	   20,    50,	   20   }
	      };
	struct mv_rows rows = {&p, 4, person_text, person_key, NULL, person_id, 0};
	struct mv_canvas c = {0};
	struct mv_table t;

	(void)state;
	mv_table_init(&t, columns, 2, 1, true);
	mv_table_update(&t, &rows);
	assert_int_equal(mv_table_current(&t), 2); /* Cyn, the oldest */
	mv_table_act(&t, &rows, ACT_DOWN);
	assert_int_equal(mv_table_current(&t), 0);
	p.age[0] = 99; /* Ada moves to the top, and the cursor with her */
	mv_table_update(&t, &rows);
	assert_int_equal(t.selected, 0);
	assert_int_equal(mv_table_current(&t), 0);
	mv_table_act(&t, &rows, ACT_SORT); /* by name now, upwards */
	assert_int_equal(t.sort, 0);
	assert_false(t.down);
	mv_table_filter(&t, &rows, "20");
	assert_int_equal(t.count, 2);
	mv_table_filter(&t, &rows, "");
	assert_true(mv_table_find(&t, &rows, "dan", 1));
	assert_int_equal(mv_table_current(&t), 3);
	assert_false(mv_table_find(&t, &rows, "eve", 1));
	assert_true(mv_canvas_resize(&c, 3, 16));
	mv_table_draw(&t, &rows, &c, mv_rect(0, 0, 3, 16));
	/* Two of four rows fit: scrolled to Dan, with a scroll bar. */
	assert_screen(&c, "NAME▲      AGE\nCyn         50 │\nDan         20 ┃\n");
	mv_table_filter(&t, &rows, "nobody");
	assert_int_equal(mv_table_current(&t), SIZE_MAX);
	mv_table_act(&t, &rows, ACT_DOWN);
	int widths[2];

	mv_table_widths(&t, 8, widths);
	assert_int_equal(widths[1], 0); /* no room: the one of the higher number goes */
	mv_table_free(&t);
	mv_canvas_free(&c);
}

static void a_version_spares_the_sort_and_nothing_else(void **state)
{
	static const struct mv_column columns[] = {
		{.title = "NAME", .width = 6, .by_text = true, .up_first = true},
		{.title = "AGE",		 .width = 4,	     .right = true  }
	   };
	struct people p = {
		{"Ada", "Bob", "Cyn"},
		       {36,    20,	50	  }
	   };
	struct mv_rows rows = {&p, 3, person_text, person_key, NULL, person_id, 1};
	struct mv_table t;

	(void)state;
	mv_table_init(&t, columns, 2, 1, true);
	mv_table_update(&t, &rows);
	assert_int_equal(t.order[0], 2);
	p.age[1] = 99;
	mv_table_update(&t, &rows); /* the source says that nothing moved */
	assert_int_equal(t.order[0], 2);
	rows.version++;
	mv_table_update(&t, &rows);
	assert_int_equal(t.order[0], 1);
	mv_table_act(&t, &rows, ACT_SORT_REVERSE);
	assert_int_equal(t.order[0], 0);
	mv_table_filter(&t, &rows, "bob");
	assert_int_equal(t.count, 1);
	mv_table_free(&t);
}

static void clicks_select_rows_and_sort_by_titles(void **state)
{
	static const struct mv_column columns[] = {
		{.title = "NAME", .width = 6, .by_text = true, .up_first = true},
		{.title = "AGE",		 .width = 4,	     .right = true  }
	   };
	struct people p = {
		{"Ada", "Bob", "Cyn"},
		       {36,    20,	50	  }
	   };
	struct mv_rows rows = {&p, 3, person_text, person_key, NULL, person_id, 0};
	struct mv_canvas c = {0};
	struct mv_table t;

	(void)state;
	mv_table_init(&t, columns, 2, 0, false);
	assert_true(mv_canvas_resize(&c, 6, 20));
	mv_table_update(&t, &rows);
	mv_table_draw(&t, &rows, &c, mv_rect(1, 2, 5, 18));
	assert_true(mv_table_click(&t, &rows, 3, 4));
	assert_int_equal(mv_table_current(&t), 1);
	assert_false(mv_table_click(&t, &rows, 5, 4));	/* below the last row */
	assert_false(mv_table_click(&t, &rows, 1, 11)); /* the title AGE */
	assert_int_equal(t.sort, 1);
	assert_true(t.down);
	assert_int_equal(mv_table_current(&t), 1);
	mv_table_click(&t, &rows, 1, 11);
	assert_false(t.down);
	mv_table_free(&t);
	mv_canvas_free(&c);
}

/* ---- a model to look at ---- */

static struct json_object *parse(const char *text)
{
	struct json_object *o = json_tokener_parse(text);

	assert_non_null(o);
	return o;
}

static void apply(struct mv_model *m, const char *method, const char *params, const char *result)
{
	struct json_object *p = params ? parse(params) : NULL, *r = parse(result);
	struct mv_error e = {0};

	if (mv_model_apply_result(m, method, p, r, 1700000000000000ull, &e) == MV_MALFORMED)
		fail_msg("%s: %s", method, e.message);
	json_object_put(p);
	json_object_put(r);
}

static struct mv_model *sample_model(void)
{
	struct mv_model *m = mv_model_new(NULL);

	apply(m, "hello", NULL,
	      "{\"name\":\"Vitrine\",\"version\":\"1\",\"protocol\":1,\"session\":\"s\",\"token\":"
	      "\"t\","
	      "\"build_id\":\"00\",\"cpus\":1,\"page_size\":4096,\"frame_size\":2097152,\"tsc_hz\":"
	      "1,"
	      "\"max_record\":4096,\"access\":\"alloc\",\"features\":[],\"gen\":1}");
	apply(m, "mm.stat", NULL,
	      "{\"total\":268435456,\"used\":33554432,\"free\":234881024,\"shared\":4194304,"
	      "\"cache_used\":1048576,\"cache_free\":1048576,\"available\":235929600,\"gen\":7}");
	apply(m, "mm.zones", NULL,
	      "{\"zones\":[{\"name\":\"ZONE_DMA\",\"start\":\"0x0\",\"end\":\"0x1000000\","
	      "\"frames\":8,"
	      "\"free\":7,\"used\":0,\"reserved\":1,\"largest_free_run\":7},{\"name\":\"ZONE_"
	      "NORMAL\","
	      "\"start\":\"0x1000000\",\"end\":\"0x10000000\",\"frames\":120,\"free\":105,\"used\":"
	      "15,"
	      "\"reserved\":0,\"largest_free_run\":60}],\"gen\":7}");
	apply(m, "mm.frames", NULL,
	      "{\"runs\":["
	      "{\"pa\":\"0x0\",\"count\":1,\"zone\":\"ZONE_DMA\",\"state\":\"reserved\",\"attr\":[]"
	      ",\"refs\":0},"
	      "{\"pa\":\"0x200000\",\"count\":7,\"zone\":\"ZONE_DMA\",\"state\":\"free\",\"attr\":["
	      "],\"refs\":0},"
	      "{\"pa\":\"0x1000000\",\"count\":3,\"zone\":\"ZONE_NORMAL\",\"state\":\"kernel\","
	      "\"attr\":[\"PAGE_KERNEL\"],\"refs\":1},"
	      "{\"pa\":\"0x1600000\",\"count\":2,\"zone\":\"ZONE_NORMAL\",\"state\":\"slab\","
	      "\"attr\":[],\"refs\":1},"
	      "{\"pa\":\"0x1a00000\",\"count\":8,\"zone\":\"ZONE_NORMAL\",\"state\":\"allocated\","
	      "\"attr\":[],\"refs\":1},"
	      "{\"pa\":\"0x2a00000\",\"count\":2,\"zone\":\"ZONE_NORMAL\",\"state\":\"allocated\","
	      "\"attr\":[\"PAGE_SHARED\"],\"refs\":2},"
	      "{\"pa\":\"0x2e00000\",\"count\":105,\"zone\":\"ZONE_NORMAL\",\"state\":\"free\","
	      "\"attr\":[],\"refs\":0},"
	      "{\"pa\":\"0x10000000\",\"count\":1920,\"zone\":null,\"state\":\"hole\",\"attr\":[],"
	      "\"refs\":0},"
	      "{\"pa\":\"0x100000000\",\"count\":64,\"zone\":null,\"state\":\"free\",\"attr\":[],"
	      "\"refs\":0}"
	      "],\"next\":null,\"gen\":7}");
	apply(m, "mm.caches", NULL,
	      "{\"caches\":[{\"size\":32,\"slabs\":1,\"objects\":2048,\"used\":300,\"free\":1748,"
	      "\"bytes\":65536,"
	      "\"allocs\":1000,\"frees\":700,\"failed\":0},{\"size\":1048576,\"slabs\":0,"
	      "\"objects\":0,\"used\":0,"
	      "\"free\":0,\"bytes\":0,\"allocs\":0,\"frees\":0,\"failed\":2}],\"gen\":7}");
	apply(m, "mm.spaces", NULL,
	      "{\"spaces\":[{\"id\":0,\"name\":\"kernel\",\"root\":\"0x1001000\",\"current\":true,"
	      "\"tables\":6,"
	      "\"mapped_bytes\":270532608}],\"gen\":7}");
	apply(m, "mm.mappings", "{\"space\":0}",
	      "{\"runs\":["
	      "{\"va\":\"0x400000\",\"pa\":\"0x1000000\",\"len\":8192,\"page\":4096,\"flags\":"
	      "\"wxu---\"},"
	      "{\"va\":\"0xffff800000000000\",\"pa\":\"0x0\",\"len\":268435456,\"page\":2097152,"
	      "\"flags\":\"w--g--\"},"
	      "{\"va\":\"0xffffffff80000000\",\"pa\":\"0x1000000\",\"len\":2097152,\"page\":4096,"
	      "\"flags\":\"-x-g--\"}"
	      "],\"next\":null,\"gen\":7}");
	return m;
}

/* ---- the grid ---- */

static void map_counts_every_frame_once(void **state)
{
	struct mv_model *m = sample_model();
	uint64_t counts[KIND_COUNT], sum = 0;

	(void)state;
	mv_kind_count(m, 0, 3000, counts);
	assert_int_equal(counts[KIND_FREE], 7 + 105 + 64);
	assert_int_equal(counts[KIND_SHARED], 2);
	assert_int_equal(counts[KIND_HOLE], 1920);
	assert_int_equal(counts[KIND_UNKNOWN], 3000 - 2112);
	for (int k = 0; k < KIND_COUNT; k++)
		sum += counts[k];
	assert_int_equal(sum, 3000);
	mv_kind_count(m, 8, 4, counts);
	assert_int_equal(counts[KIND_KERNEL], 3);
	assert_int_equal(counts[KIND_SLAB], 1);
	mv_model_free(m);
}

static void rows_fold_holes_and_find_every_frame(void **state)
{
	struct mv_model *m = sample_model();
	struct mv_grid g = {0};
	int row, col;

	(void)state;
	assert_true(mv_grid_layout(&g, m, 20, 32, 0, false));
	assert_int_equal(g.per_cell, 1);
	assert_int_equal(g.line_count, 4 + 1 + 2);
	assert_true(mv_grid_line(&g, 4)->folded);
	assert_int_equal(mv_grid_line(&g, 4)->span, 1920);
	assert_int_equal(mv_grid_frame(&g, 5, 0), 2048);
	assert_int_equal(mv_grid_frame(&g, 7, 0), UINT64_MAX);
	for (uint64_t f = 0; f < g.frames; f++) {
		assert_true(mv_grid_show(&g, f, &row, &col));
		uint64_t first = mv_grid_frame(&g, row, col);

		assert_true(f >= first && f < first + mv_grid_span(&g, row, col));
	}
	assert_false(mv_grid_show(&g, g.frames, &row, &col));
	mv_grid_free(&g);
	mv_model_free(m);
}

static void any_size_and_zoom_shows_every_frame(void **state)
{
	struct mv_model *m = sample_model();
	struct mv_grid g = {0};

	(void)state;
	for (int i = 0; i < 2000; i++) {
		int rows = 1 + (int)random_below(30), cols = 1 + (int)random_below(70), row, col;
		uint64_t per_cell = random_below(3) ? 0 : 1ull << random_below(8);
		bool hilbert = random_below(2);

		assert_true(mv_grid_layout(&g, m, rows, cols, per_cell, hilbert));
		uint64_t f = random_below((unsigned)g.frames);

		assert_true(mv_grid_show(&g, f, &row, &col));
		assert_in_range(row, 0, rows - 1);
		assert_in_range(col, 0, cols - 1);
		uint64_t first = mv_grid_frame(&g, row, col);

		assert_true(f >= first && f - first < mv_grid_span(&g, row, col));
		if (!per_cell)
			assert_int_equal(g.top, 0);
	}
	mv_grid_free(&g);
	mv_model_free(m);
}

static void mixed_cells_speak_for_what_is_in_use(void **state)
{
	const uint64_t one[KIND_COUNT] = {[KIND_FREE] = 7, [KIND_SLAB] = 1};
	const uint64_t full[KIND_COUNT] = {[KIND_KERNEL] = 4};
	const uint64_t half[KIND_COUNT] = {[KIND_FREE] = 2, [KIND_ALLOCATED] = 6};
	const uint64_t hole[KIND_COUNT] = {[KIND_FREE] = 2, [KIND_HOLE] = 6};
	bool mixed, mostly_free;

	(void)state;
	assert_int_equal(mv_kind_main(one, &mixed, &mostly_free), KIND_SLAB);
	assert_true(mixed && mostly_free);
	assert_int_equal(mv_kind_main(full, &mixed, &mostly_free), KIND_KERNEL);
	assert_false(mixed || mostly_free);
	assert_int_equal(mv_kind_main(half, &mixed, &mostly_free), KIND_ALLOCATED);
	assert_true(mixed && !mostly_free);
	assert_int_equal(mv_kind_main(hole, &mixed, &mostly_free), KIND_HOLE);
}

/* ---- the tree ---- */

static void tree_opens_down_to_the_leaves(void **state)
{
	struct mv_model *m = sample_model();
	const struct mv_space *s = mv_model_space(m, 0);
	struct mv_tree t = {0};

	(void)state;
	mv_tree_build(&t, s);
	assert_int_equal(t.count, 3); /* PML4 0, 256 and 511 */
	assert_int_equal(t.row[1].first, 256);
	assert_int_equal(t.row[1].mapped_bytes, 268435456);
	assert_int_equal(t.row[0].all, MV_MAP_WRITE | MV_MAP_EXEC | MV_MAP_USER);
	mv_tree_open_to(&t, 0xffffffff80001000ull);
	mv_tree_build(&t, s);
	size_t i = mv_tree_row_of(&t, 0xffffffff80001000ull);

	assert_true(t.row[i].leaf);
	assert_int_equal(t.row[i].level, 1);
	assert_int_equal(t.row[i].first, 0);
	assert_int_equal(t.row[i].last, 511);
	assert_int_equal(t.row[mv_tree_parent(&t, i)].level, 2);
	struct mv_tree_row top = t.row[2];

	mv_tree_set(&t, &top, false);
	mv_tree_build(&t, s);
	assert_int_equal(t.count, 3);
	mv_tree_open_to(&t, 0xffff800000200000ull);
	mv_tree_build(&t, s);
	i = mv_tree_row_of(&t, 0xffff800000200000ull);
	assert_true(t.row[i].leaf && t.row[i].level == 2);
	assert_int_equal(t.row[i].last, 127);
	mv_tree_free(&t);
	mv_model_free(m);
}

/* Opened all the way, the leaves are exactly the runs. */
static void tree_leaves_cover_the_runs_exactly(void **state)
{
	struct mv_model *m = sample_model();
	const struct mv_space *s = mv_model_space(m, 0);
	struct mv_tree t = {0};
	uint64_t bytes = 0, want = 0;

	(void)state;
	for (int level = 4; level > 1; level--) {
		mv_tree_build(&t, s);
		for (size_t i = 0; i < t.count; i++) {
			struct mv_tree_row row = t.row[i];

			mv_tree_set(&t, &row, true);
		}
	}
	mv_tree_build(&t, s);
	for (size_t i = 0; i < t.count; i++) {
		const struct mv_tree_row *row = &t.row[i];

		if (!row->leaf) {
			assert_true(row->open);
			continue;
		}
		const struct mv_mapping *map = mv_space_mapping_at(s, row->va);

		assert_ptr_equal(map, &s->maps[row->run]);
		assert_true(row->va + row->len - 1 <= map->va + map->len - 1);
		bytes += row->len;
	}
	for (size_t i = 0; i < s->map_count; i++)
		want += s->maps[i].len;
	assert_int_equal(bytes, want);
	mv_tree_free(&t);
	mv_model_free(m);
}

static void marks_find_wx_aliases_and_users_in_the_kernel(void **state)
{
	struct mv_model *m = sample_model();
	uint8_t marks[3];

	(void)state;
	assert_true(mv_mapping_marks(m, mv_model_space(m, 0), marks));
	assert_int_equal(marks[0], MARK_WX | MARK_USER_KERNEL | MARK_ALIAS);
	assert_int_equal(marks[1], 0); /* the direct map leads everywhere by design */
	assert_int_equal(marks[2], MARK_ALIAS);
	mv_model_free(m);
}

/* ---- slabs and sites ---- */

static void slabs_join_their_pieces_and_refuse_nonsense(void **state)
{
	struct mv_slab_set set = {0};
	struct json_object *o = parse(
		"{\"slabs\":[{\"addr\":\"0x1000\",\"size\":32,\"objects\":128,\"used\":5,\"used_"
		"runs\":[[0,2],[10,1]]},"
		"{\"addr\":\"0x1000\",\"size\":32,\"objects\":128,\"used\":5,\"used_runs\":[[126,2]"
		"]},"
		"{\"addr\":\"0x9000\",\"size\":0,\"objects\":128,\"used\":0,\"used_runs\":[]},"
		"{\"addr\":\"0x5000\",\"size\":64,\"objects\":64,\"used\":1,\"used_runs\":[[63,9],["
		"-1,2],[1],7,[2,1]]},"
		"5,{\"addr\":7}]}");

	(void)state;
	mv_slabs_add(&set, o, 0, UINT64_MAX);
	assert_int_equal(set.count, 2);
	assert_int_equal(mv_slab_used_in(&set.slab[0], 0, 128), 5);
	assert_true(mv_slab_object_used(&set.slab[0], 127));
	assert_false(mv_slab_object_used(&set.slab[0], 2));
	assert_int_equal(mv_slab_used_in(&set.slab[1], 0, 64), 1);
	assert_ptr_equal(mv_slabs_find(&set, 0x5000), &set.slab[1]);
	mv_slabs_clear(&set);
	mv_slabs_add(&set, o, 0x5000, 0x6000);
	assert_int_equal(set.count, 1);
	mv_slabs_clear(&set);
	json_object_put(o);
}

static void sites_are_counted_from_events(void **state)
{
	struct mv_model *m = mv_model_new(NULL);
	struct json_object *o = parse("{\"id\":1,\"topic\":\"events\",\"full\":true,\"gen\":1,"
				      "\"data\":{\"lost\":0,\"events\":["
				      "[1000000,\"kmalloc\",\"0x1000\",32,\"0xa\",0],[2000000,"
				      "\"kmalloc\",\"0x2000\",64,\"0xb\",0],"
				      "[3000000,\"kmalloc\",\"0x3000\",128,\"0xa\",0],[4000000,"
				      "\"kfree\",\"0x1000\",32,\"0xc\",0],"
				      "[5000000,\"kfree\",\"0x7777\",32,\"0xc\",0],[9000000,"
				      "\"map\",\"0x4000\",4096,\"0xa\",0]]}}");
	struct mv_site_list s = {0};
	struct mv_object_list l = {0};
	struct mv_error e = {0};

	(void)state;
	assert_int_equal(mv_model_apply_watch(m, o, 1, &e), MV_APPLIED);
	mv_sites_from_events(&s, &l, m, mv_model_events(m));
	assert_int_equal(s.count, 2);
	const struct mv_site *a = mv_site_of(&s, 0xa);

	assert_int_equal(a->allocs, 2);
	assert_int_equal(a->frees, 1);
	assert_int_equal(a->live_bytes, 128);
	assert_int_equal(l.count, 2);
	mv_sites_age(&s, &l);
	assert_int_equal(mv_site_of(&s, 0xb)->oldest_us, 7000000);
	mv_sites_clear(&s);
	mv_objects_clear(&l);
	json_object_put(o);
	mv_model_free(m);
}

/* Thousands of births and deaths against a plain array: the table behind it must lose none. */
static void no_birth_or_death_is_lost(void **state)
{
	enum { OBJECTS = 700, EVENTS = 4000 };
	static bool alive[OBJECTS];
	static unsigned addr[OBJECTS]; /* at random: neighbours would never meet in the table */
	struct mv_model *m = mv_model_new(NULL);
	struct json_object *list = json_object_new_array(), *o;
	struct mv_site_list s = {0};
	struct mv_object_list l = {0};
	struct mv_error e = {0};
	size_t live = 0;

	(void)state;
	for (int i = 0; i < OBJECTS; i++)
		addr[i] = ((unsigned)i << 20 | random_below(1 << 20)) + 16;
	for (int i = 0; i < EVENTS; i++) {
		unsigned k = random_below(OBJECTS);
		char text[160];

		snprintf(text, sizeof(text), "[%d,\"%s\",\"0x%x\",32,\"0xa\",0]", i,
			 alive[k] ? "kfree" : "kmalloc", addr[k]);
		live += alive[k] ? (size_t)-1 : 1;
		alive[k] = !alive[k];
		json_object_array_add(list, parse(text));
	}
	o = parse("{\"id\":1,\"topic\":\"events\",\"full\":true,\"gen\":1,\"data\":{\"lost\":0}}");
	json_object_object_add(json_object_object_get(o, "data"), "events", list);
	assert_int_equal(mv_model_apply_watch(m, o, 1, &e), MV_APPLIED);
	mv_sites_from_events(&s, &l, m, mv_model_events(m));
	assert_int_equal(l.count, live);
	assert_int_equal(mv_site_of(&s, 0xa)->live_objects, live);
	mv_sites_clear(&s);
	mv_objects_clear(&l);
	json_object_put(o);
	mv_model_free(m);
}

/* ---- commands ---- */

static void assert_command(const char *line, const char *method, const char *params)
{
	struct mv_command c = mv_command_parse(line);

	if (c.kind != COMMAND_REQUEST)
		fail_msg("%s: %s", line, c.error);
	assert_string_equal(c.method ? c.method : c.method_text, method);
	assert_string_equal(json_object_to_json_string_ext(c.params, JSON_C_TO_STRING_PLAIN),
			    params);
	json_object_put(c.params);
}

static void assert_bad(const char *line, const char *says)
{
	struct mv_command c = mv_command_parse(line);

	assert_int_equal(c.kind, COMMAND_BAD);
	if (!strstr(c.error, says))
		fail_msg("'%s' says '%s', not '%s'", line, c.error, says);
	json_object_put(c.params);
}

static void commands_become_requests_or_clear_errors(void **state)
{
	(void)state;
	assert_command("stat", "mm.stat", "{}");
	assert_command(" kmalloc  4K --zero ", "mm.kmalloc", "{\"zero\":true,\"size\":4096}");
	assert_command("kfree 0xffff_8000", "mm.kfree", "{\"addr\":\"0xffff8000\"}");
	assert_command("alloc-pages ZONE_NORMAL 3 PAGE_SHARED --dry-run", "mm.alloc_pages",
		       "{\"dry_run\":true,\"zone\":\"ZONE_NORMAL\",\"num\":3,\"flags\":[\"PAGE_"
		       "SHARED\"]}");
	assert_command(
		"map 0x1000 0x2000 4K w --space 3 --4k", "mm.map",
		"{\"space\":3,\"use4k\":true,\"va\":\"0x1000\",\"pa\":\"0x2000\",\"len\":4096,"
		"\"flags\":\"w\"}");
	assert_command("leaks 10s", "trace.leaks", "{\"older_than_us\":10000000}");
	assert_command("call workload.start name=churn params={\"rate\":5}", "workload.start",
		       "{\"name\":\"churn\",\"params\":{\"rate\":5}}");
	assert_command("mm.check", "mm.check", "{}");
	assert_bad("", "Tab completes");
	assert_bad("frobnicate", "no command 'frobnicate'");
	assert_bad("kmalloc", "usage: kmalloc SIZE");
	assert_bad("kmalloc many", "'many' is not a size");
	assert_bad("kmalloc 1 2", "too many arguments");
	assert_bad("kmalloc 1 --fast", "no option --fast");
	assert_bad("map 0x1000 0x2000 4K w --space", "takes a value");
	assert_bad("kfree somewhere", "not an address");
	assert_bad("call", "usage: call");
	assert_bad("call mm.stat verbose", "not key=value");
}

static void completion_and_usage_help_while_typing(void **state)
{
	char usage[200];

	(void)state;
	assert_string_equal(mv_command_complete("kma", 0), "kmalloc");
	assert_null(mv_command_complete("kma", 1));
	assert_string_equal(mv_command_complete("call trace.l", 0), "trace.leaks");
	assert_string_equal(mv_command_complete("kmalloc 1 --z", 0), "--zero");
	assert_null(mv_command_complete("", 500));
	mv_command_usage("kmalloc ", usage, sizeof(usage));
	assert_non_null(strstr(usage, "SIZE [--zero]"));
	mv_command_usage("z", usage, sizeof(usage));
	assert_string_equal(usage, "zones");
	mv_command_usage("zzz", usage, sizeof(usage));
	assert_string_equal(usage, "");
}

static void results_become_lines(void **state)
{
	struct json_object *one = parse("{\"addr\":\"0x10\",\"size\":128,\"gen\":5}");
	struct json_object *list =
		parse("{\"zones\":[{\"name\":\"A\",\"free\":1}],\"next\":null,\"gen\":5}");
	char *text = mv_command_show(one);

	(void)state;
	assert_string_equal(text, "addr 0x10  size 128  \n");
	free(text);
	text = mv_command_show(list);
	assert_non_null(strstr(text, "zones (1)\n  name A  free 1"));
	free(text);
	json_object_put(one);
	json_object_put(list);
}

/* ---- the whole interface on a canvas ---- */

static void press(struct mv_app *a, int key)
{
	struct mv_input in = {.key = key};

	mv_app_input(a, &in);
}

static void assert_shows(struct mv_app *a, const char *text)
{
	mv_app_tick(a, a->now_us + 1000000);
	mv_app_draw(a, 40, 120);
	char *have = mv_canvas_dump(&a->canvas);

	if (!strstr(have, text))
		fail_msg("no '%s' on\n%s", text, have);
	free(have);
}

static void screens_show_what_the_model_knows(void **state)
{
	struct mv_model *m = sample_model();
	struct mv_app a;

	(void)state;
	mv_app_init(&a, NULL, m, NULL);
	assert_shows(&a, "Memory: 256 MiB");
	assert_shows(&a, "NORMAL");
	press(&a, '2');
	assert_shows(&a, "0x001000000  frame 8 of 2,112 in ZONE_NORMAL");
	assert_shows(&a, " hole: 3.75 GiB ");
	press(&a, '/');
	for (const char *p = "slab"; *p; p++)
		press(&a, *p);
	press(&a, MVK_ENTER);
	assert_shows(&a, "slab: small objects of kmalloc; 1 reference");
	press(&a, '3');
	assert_shows(&a, "Objects of 32 B in use");
	press(&a, '4');
	assert_shows(&a, "writable and executable 1   user-reachable kernel 1   aliases 2");
	press(&a, 'v');
	assert_shows(&a, "W+X USER>KERNEL alias");
	press(&a, '5');
	assert_shows(&a, "call sites");
	press(&a, '6');
	assert_shows(&a, "Console and events");
	press(&a, '?');
	for (const char *p = "hilb"; *p; p++)
		press(&a, *p);
	assert_shows(&a, "Hilbert's curve");
	mv_app_free(&a);
	mv_model_free(m);
}

static void enter_opens_and_backspace_goes_back(void **state)
{
	struct mv_model *m = sample_model();
	struct mv_app a;

	(void)state;
	mv_app_init(&a, NULL, m, NULL);
	press(&a, '2');
	mv_app_draw(&a, 40, 120);
	press(&a, MVK_ENTER);
	assert_shows(&a, "Memory map ▸ frame 0x1000000");
	press(&a, MVK_BACKSPACE);
	mv_app_draw(&a, 40, 120);
	assert_null(mv_app_view(&a)->below);
	press(&a, '3');
	press(&a, MVK_ENTER);
	assert_shows(&a, "Slabs ▸ class 32 B");
	press(&a, '3');
	assert_null(mv_app_view(&a)->below);
	press(&a, 'a');
	assert_shows(&a, "cannot be asked to act");
	mv_app_free(&a);
	mv_model_free(m);
}

static void marks_show_what_changed(void **state)
{
	struct mv_model *m = sample_model();
	struct mv_app a;

	(void)state;
	mv_app_init(&a, NULL, m, NULL);
	press(&a, 'x');
	apply(m, "mm.stat", NULL,
	      "{\"total\":268435456,\"used\":35651584,\"free\":232783872,\"shared\":4194304,"
	      "\"cache_used\":1048576,\"cache_free\":1048576,\"available\":233832448,\"gen\":8}");
	press(&a, 'x');
	assert_shows(&a, "differences since the mark");
	assert_shows(&a, "+2 MiB");
	press(&a, ' ');
	assert_shows(&a, "Frozen");
	apply(m, "mm.stat", NULL,
	      "{\"total\":268435456,\"used\":0,\"free\":268435456,\"shared\":0,"
	      "\"cache_used\":0,\"cache_free\":0,\"available\":268435456,\"gen\":9}");
	assert_shows(&a, "+2 MiB"); /* held */
	press(&a, ' ');
	assert_shows(&a, "-32 MiB");
	mv_app_free(&a);
	mv_model_free(m);
}

/* Keys, clicks and sizes in any order: it must draw, and stay within its canvas (ASan looks). */
static void any_input_at_any_size_is_survived(void **state)
{
	static const int special[] = {
		MVK_UP,	 MVK_DOWN,  MVK_LEFT,	   MVK_RIGHT, MVK_PAGE_UP, MVK_PAGE_DOWN, MVK_HOME,
		MVK_END, MVK_ENTER, MVK_BACKSPACE, MVK_TAB,   MVK_BACKTAB, MVK_ESCAPE};
	struct mv_model *m = sample_model(), *empty = mv_model_new(NULL);
	struct mv_app a;

	(void)state;
	for (int round = 0; round < 40; round++) {
		mv_app_init(&a, NULL, round % 4 ? m : empty, NULL);
		a.ascii = round % 2;
		for (int i = 0; i < 700 && !a.quit; i++) {
			struct mv_input in = {
				.key = random_below(2) ? (int)(32 + random_below(95))
						       : special[random_below(COUNT(special))]};

			if (random_below(10) == 0)
				in = (struct mv_input){.key = MVK_MOUSE,
						       .mouse = (enum mv_mouse_what)random_below(4),
						       .row = (int)random_below(70),
						       .col = (int)random_below(210)};
			if (in.key == 'q')
				continue;
			mv_app_input(&a, &in);
			mv_app_tick(&a, a.now_us + 50000);
			if (random_below(3) == 0)
				mv_app_draw(&a, 1 + (int)random_below(70),
					    1 + (int)random_below(210));
		}
		mv_app_free(&a);
	}
	mv_model_free(m);
	mv_model_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cuts_never_take_more_than_there_is),
		cmocka_unit_test(text_is_clipped_fitted_and_made_safe),
		cmocka_unit_test(ascii_mode_puts_nothing_else),
		cmocka_unit_test(any_bytes_end_and_keep_their_width),
		cmocka_unit_test(depth_follows_terminal_options_and_no_color),
		cmocka_unit_test(states_differ_and_no_dark_blue_is_used),
		cmocka_unit_test(hilbert_visits_every_cell_once_stepping_to_a_neighbour),
		cmocka_unit_test(graph_draws_outline_filling_and_scale),
		cmocka_unit_test(ceilings_are_round_and_not_below),
		cmocka_unit_test(bars_show_every_part_that_is_there),
		cmocka_unit_test(fuzzy_ranks_words_before_scraps),
		cmocka_unit_test(every_key_means_one_thing_in_each_place),
		cmocka_unit_test(keys_of_the_issue_do_what_it_says),
		cmocka_unit_test(footer_and_help_come_from_the_same_table),
		cmocka_unit_test(lines_edit_as_a_shell_does),
		cmocka_unit_test(history_recalls_and_gives_back_what_was_typed),
		cmocka_unit_test(any_keys_leave_a_sound_line),
		cmocka_unit_test(tables_sort_filter_and_keep_their_selection),
		cmocka_unit_test(a_version_spares_the_sort_and_nothing_else),
		cmocka_unit_test(clicks_select_rows_and_sort_by_titles),
		cmocka_unit_test(map_counts_every_frame_once),
		cmocka_unit_test(rows_fold_holes_and_find_every_frame),
		cmocka_unit_test(any_size_and_zoom_shows_every_frame),
		cmocka_unit_test(mixed_cells_speak_for_what_is_in_use),
		cmocka_unit_test(tree_opens_down_to_the_leaves),
		cmocka_unit_test(tree_leaves_cover_the_runs_exactly),
		cmocka_unit_test(marks_find_wx_aliases_and_users_in_the_kernel),
		cmocka_unit_test(slabs_join_their_pieces_and_refuse_nonsense),
		cmocka_unit_test(sites_are_counted_from_events),
		cmocka_unit_test(no_birth_or_death_is_lost),
		cmocka_unit_test(commands_become_requests_or_clear_errors),
		cmocka_unit_test(completion_and_usage_help_while_typing),
		cmocka_unit_test(results_become_lines),
		cmocka_unit_test(screens_show_what_the_model_knows),
		cmocka_unit_test(enter_opens_and_backspace_goes_back),
		cmocka_unit_test(marks_show_what_changed),
		cmocka_unit_test(any_input_at_any_size_is_survived),
	};

	const char *given = getenv("MEMVIZ_SEED"); /* another run of what is random */

	if (given)
		seed ^= strtoull(given, NULL, 0) * 0x9e3779b97f4a7c15ull;
	setlocale(LC_CTYPE, "C.UTF-8");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
