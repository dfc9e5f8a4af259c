/* The list decoder: a list cut anywhere gives the same items and the same failure as in one piece.
 *
 * The first line says where to cut: each of its bytes is a piece's length, in turn. The list follows. */
#include "fuzz.h"

#include "base/buf.h"
#include "kube/list.h"

#define MAX_ITEM 4096

static int note(void *ctx, const cJSON *item, struct err *err)
{
    _cleanup_(freep) char *text = json_print(item);

    buf_printf(ctx, "%s\n", text);
    return strcmp(text, "\"stop\"") == 0 ? err_set(err, ERR_CANCELLED, "enough") : 0;
}

static int feed(const char *text, size_t len, const uint8_t *cuts, size_t n_cuts, struct buf *seen, struct err *err)
{
    _cleanup_(kube_list_freep) struct kube_list *list = kube_list_new(MAX_ITEM);

    for (size_t i = 0; len > 0; i++) {
        size_t n = n_cuts ? (size_t)(cuts[i % n_cuts] % 61) + 1 : len;
        n = n < len ? n : len;
        if (kube_list_feed(list, text, n, note, seen, err) < 0)
            return -1;
        text += n;
        len -= n;
    }
    if (kube_list_end(list, err) < 0)
        return -1;
    buf_printf(seen, "%s %s", kube_list_version(list) ? kube_list_version(list) : "",
        kube_list_continue(list) ? kube_list_continue(list) : "");
    return 0;
}

/* What the decoder takes for a list is one: the strict parser takes it whole, and sees as many items. */
static void check_whole(const char *text, size_t len, const struct buf *seen)
{
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct err err = ERR_INIT;
    size_t lines = 0;

    if (json_parse(&tree, text, len, &err) < 0) {
        FUZZ_CHECK(strstr(err.msg, "already has") || strstr(err.msg, "nested deeper")); /* of the outermost object */
        return;
    }
    for (size_t i = 0; i < seen->len; i++)
        lines += seen->data[i] == '\n';
    const cJSON *items = json_member(tree, "items");
    FUZZ_CHECK(lines == (size_t)(cJSON_IsArray(items) ? cJSON_GetArraySize(items) : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buf_done) struct buf whole = BUF_INIT(16 << 20), pieces = BUF_INIT(16 << 20);
    struct err whole_err = ERR_INIT, pieces_err = ERR_INIT;
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;

    if (!end)
        return 0;
    size_t n_cuts = (size_t)(end - data), len = size - n_cuts - 1;
    const char *text = (const char *)end + 1;
    int r = feed(text, len, NULL, 0, &whole, &whole_err);
    FUZZ_CHECK(r == feed(text, len, data, n_cuts, &pieces, &pieces_err));
    FUZZ_CHECK(strcmp(buf_str(&whole), buf_str(&pieces)) == 0);
    FUZZ_CHECK(whole_err.kind == pieces_err.kind);
    FUZZ_CHECK(r == 0 || whole_err.kind != ERR_NONE);
    if (r == 0)
        check_whole(text, len, &whole);
    return 0;
}
