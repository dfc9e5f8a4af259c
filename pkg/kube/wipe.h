/* Memory that held credentials, cleaned before it goes back to the heap. */
#pragma once

#include "base/buf.h"
#include "json/json.h"

/* Overwrites every string of the tree, then frees it. Accepts and returns NULL. */
cJSON *kube_wipe_tree(cJSON *tree);
DEFINE_CLEANUP(cJSON *, kube_wipe_tree)
/* Overwrites the content, then frees it. What the buffer left behind while it grew is out of reach. */
void kube_wipe_buf(struct buf *b);
