/* Objects as rows for people: what kubectl prints by default. Pure. */
#pragma once

#include <cjson/cJSON.h>
#include <stdint.h>

enum table_include { TABLE_METADATA, TABLE_OBJECT, TABLE_NONE };

/* A Table of meta.k8s.io/v1 without rows. columns: a CRD's additionalPrinterColumns, or NULL for Name and Age. The
 * caller frees it. */
cJSON *table_new(const cJSON *columns, const char *resource_version);
/* Adds one row. object stays the caller's. */
void table_add_row(cJSON *table, const cJSON *columns, const cJSON *object, enum table_include include, int64_t now_ms);

#define TABLE_AGE_SIZE 64
/* A duration as kubectl shows ages: "42s", "7m3s", "3h12m", "2d4h", "310d", "2y60d". */
void table_age(int64_t ms, char ret[static TABLE_AGE_SIZE]);
