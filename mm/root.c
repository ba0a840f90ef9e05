// root.c: mm_root, see <mm/root.h>. A structure that changes is described anew by
// the compiler; a meaning that changes needs another version.
#include "pt.h"
#include "state.h"

#include <mm/root.h>

#define MEMBER(type, member) (((const type *)0)->member)

// clang-format off
#define VALUE(name, value)	{name, MM_ROOT_VALUE, (value), 8, 1}
#define VARIABLE(name, lvalue)	{name, MM_ROOT_VARIABLE, (uintptr_t)&(lvalue), sizeof(lvalue), 1}
#define ARRAY(name, array)	{name, MM_ROOT_VARIABLE, (uintptr_t)(array), sizeof((array)[0]), \
				 sizeof(array) / sizeof((array)[0])}
#define STRUCT(name, type)	{name, MM_ROOT_STRUCT, 0, sizeof(type), 1}
#define FIELD(name, type, member)                                                     \
				{name, MM_ROOT_FIELD, offsetof(type, member),         \
				 sizeof(MEMBER(type, member)), 1}
#define FIELDS(name, type, member)                                                    \
				{name, MM_ROOT_FIELD, offsetof(type, member),         \
				 sizeof(MEMBER(type, member)[0]),                     \
				 sizeof(MEMBER(type, member)) / sizeof(MEMBER(type, member)[0])}
// clang-format on

static const struct mm_root_entry entries[] = {
	VALUE("frame.shift", MM_FRAME_SHIFT),
	VALUE("granule.shift", MM_GRANULE_SHIFT),
	VALUE("page.shift", PAGE_4K_SHIFT),
	VALUE("class.table", CLASS_TABLE),
	VALUE("class.first", CLASS_FIRST),
	VALUE("class.last", CLASS_LAST),
	VALUE("slab.head", SLAB_HEAD),
	VALUE("slab.body", SLAB_BODY),
	VALUE("remote.word", MM_REMOTE_WORD),
	VALUE("remote.cell", MM_REMOTE_CELL),
	VALUE("note.born", NOTE_BORN),
	VALUE("zone.unmapped", MM_ZONE_UNMAPPED),

	VARIABLE("ready", mm_machine.ready),
	VARIABLE("direct_base", mm_machine.direct_base),
	VARIABLE("direct_limit", mm_machine.direct_limit),
	VARIABLE("managed", mm_map.report.managed),
	VARIABLE("extents", mm_map.extents),
	VARIABLE("extent_count", mm_map.count),
	ARRAY("zones", mm_zones),
	ARRAY("zone_names", mm_zone_names),
	ARRAY("cpus", mm_cpus),
	ARRAY("classes", mm_classes),
	VARIABLE("pool_frames", mm_pool.frames),
	VARIABLE("slabs", mm_slabs),
	VARIABLE("slab_mask", mm_slab_mask),
	VARIABLE("spaces_first", mm_spaces.first),
	VARIABLE("gen_extra", mm_gen_extra),
	VARIABLE("sites", mm_sites),

	STRUCT("extent", struct extent),
	FIELD("extent.first", struct extent, first),
	FIELD("extent.frames", struct extent, frames),
	FIELD("extent.bit", struct extent, bit),
	FIELD("extent.zone", struct extent, zone),

	STRUCT("zone", struct zone),
	FIELD("zone.bits", struct zone, bits),
	FIELD("zone.words", struct zone, words),
	FIELD("zone.frames", struct zone, frames),
	FIELD("zone.pages", struct zone, pages),
	FIELD("zone.word", struct zone, word),
	FIELD("zone.first_frame", struct zone, first_frame),
	FIELD("zone.end_frame", struct zone, end_frame),
	FIELD("zone.given", struct zone, given),
	FIELD("zone.returned", struct zone, returned),
	FIELD("zone.shared", struct zone, shared),
	FIELD("zone.failed", struct zone, failed),

	STRUCT("word", struct frame_word),
	FIELD("word.free", struct frame_word, free),
	FIELD("word.alloc", struct frame_word, alloc),
	FIELD("word.slab", struct frame_word, slab),
	FIELD("word.kernel", struct frame_word, kernel),

	STRUCT("page", struct Page),
	FIELD("page.attr", struct Page, attr),
	FIELD("page.refs", struct Page, refs),
	FIELD("page.run_frames", struct Page, run_frames),
	FIELD("page.site", struct Page, site),
	FIELD("page.birth_us", struct Page, birth_us),
	FIELD("page.notes", struct Page, notes),

	STRUCT("cpu", struct mm_cpu),
	FIELDS("cpu.allocs", struct mm_cpu, allocs),
	FIELDS("cpu.frees", struct mm_cpu, frees),
	FIELDS("cpu.frame", struct mm_cpu, frame),

	STRUCT("class", struct size_class),
	FIELD("class.slabs", struct size_class, slabs),
	FIELD("class.failed", struct size_class, failed),

	STRUCT("slab", struct slab),
	FIELD("slab.start", struct slab, start),
	FIELD("slab.bits", struct slab, bits),
	FIELD("slab.shift", struct slab, shift),
	FIELD("slab.state", struct slab, state),
	FIELD("slab.class", struct slab, cls),
	FIELDS("slab.word", struct slab, word),

	STRUCT("note", struct note),
	FIELD("note.site", struct note, site),
	FIELD("note.requested", struct note, requested),
	FIELD("note.birth_us", struct note, birth_us),

	STRUCT("site", struct mm_site_info),
	VALUE("site.count", MM_SITE_SLOTS),
	FIELD("site.site", struct mm_site_info, site),
	FIELD("site.allocs", struct mm_site_info, allocs),
	FIELD("site.frees", struct mm_site_info, frees),
	FIELD("site.live_objects", struct mm_site_info, live_objects),
	FIELD("site.live_bytes", struct mm_site_info, live_bytes),

	STRUCT("space", struct mm_space),
	FIELD("space.id", struct mm_space, id),
	FIELD("space.root", struct mm_space, root),
	FIELD("space.active", struct mm_space, active),
	FIELD("space.tables", struct mm_space, tables),
	FIELD("space.mapped_bytes", struct mm_space, mapped_bytes),
	FIELDS("space.name", struct mm_space, name),
	FIELD("space.next", struct mm_space, next),
};

const struct mm_root mm_root = {
	.magic = MM_ROOT_MAGIC,
	.version = MM_ROOT_VERSION,
	.bytes = sizeof(mm_root),
	.self = (uintptr_t)&mm_root,
	.table = (uintptr_t)entries,
	.entries = sizeof(entries) / sizeof(entries[0]),
	.entry_size = sizeof(entries[0]),
};
