/* A validator for the JSON Schema words that the inspector's documents use, and no others: an
 * unknown word is an error, so that the documents cannot say what is not checked. */
#ifndef INSPECT_TEST_SCHEMA_H
#define INSPECT_TEST_SCHEMA_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* False with what is wrong, and where, in why. */
bool schema_check(struct json_object *schema, struct json_object *value, char *why, size_t size);

#endif
