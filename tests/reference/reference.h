/* The sections of crd/README.md. Each appends Markdown. */
#pragma once

#include "base/buf.h"
#include "json/json.h"

/* From the CRD: tree is the version's entry in spec.versions. */
void reference_columns(struct buf *out, const cJSON *version);
void reference_spec(struct buf *out, const cJSON *version);
void reference_sentences(struct buf *out, const cJSON *version);
void reference_status(struct buf *out, const cJSON *version);

/* From the domain's tables. */
void reference_reasons(struct buf *out);
void reference_events(struct buf *out);

/* Text for a cell of a table. */
void reference_cell(struct buf *out, const char *text);
