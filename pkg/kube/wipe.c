/* Wiping of parsed kubeconfig files and plugin answers: both hold tokens and private keys among other things, so all of
 * it is treated alike. */
#include "kube/wipe.h"

#include "base/secret.h"

#include <string.h>

static void wipe_strings(cJSON *item)
{
    for (; item; item = item->next) {
        if (cJSON_IsString(item) && item->valuestring)
            secret_wipe(item->valuestring, strlen(item->valuestring));
        wipe_strings(item->child); /* no deeper than JSON_MAX_DEPTH */
    }
}

cJSON *kube_wipe_tree(cJSON *tree)
{
    wipe_strings(tree);
    return json_free(tree);
}

void kube_wipe_buf(struct buf *b)
{
    secret_wipe(b->data, b->cap);
    buf_done(b);
}
