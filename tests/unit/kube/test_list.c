/* The list decoder: cut anywhere, it says the same. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "kube/list.h"

#include <string.h>

static int note(void *ctx, const cJSON *item, struct err *err)
{
    _cleanup_(freep) char *text = json_print(item);

    buf_printf(ctx, "%s\n", text);
    return str_eq(text, "\"stop\"") ? err_set(err, ERR_GONE, "told so") : 0;
}

/* *ret: the items, one a line; then the error, or version and continue. step 0: in one piece. */
static void decode(const char *text, size_t step, size_t max_item, struct buf *ret)
{
    _cleanup_(kube_list_freep) struct kube_list *list = kube_list_new(max_item);
    struct err err = ERR_INIT;
    size_t len = strlen(text);

    for (size_t at = 0, n; at < len; at += n) {
        n = step && step < len - at ? step : len - at;
        if (kube_list_feed(list, text + at, n, note, ret, &err) < 0) {
            buf_printf(ret, "%s: %s", err_kind_name(err.kind), err.msg);
            return;
        }
    }
    if (kube_list_end(list, &err) < 0)
        buf_printf(ret, "%s: %s", err_kind_name(err.kind), err.msg);
    else
        buf_printf(ret, "version %s, continue %s", kube_list_version(list) ? kube_list_version(list) : "-",
            kube_list_continue(list) ? kube_list_continue(list) : "-");
}

static const struct {
    const char *text, *says; /* says: a beginning, when it ends with "..." */
} table[] = {
    {"{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"7\",\"continue\":\"c\"},\"items\":[{\"a\":1},{\"b\":[2]}]"
     "}",
        "{\"a\":1}\n{\"b\":[2]}\nversion 7, continue c"},
    {" {\r\n\"items\" :\t[ {\"a\" : 1 } , { } ] , \"metadata\" : {\"resourceVersion\":\"7\"} } \n",
        "{\"a\":1}\n{}\nversion 7, continue -"},
    {"{\"items\":[],\"metadata\":{}}", "version -, continue -"},
    {"{\"items\":null,\"metadata\":{\"resourceVersion\":\"7\"}}", "version 7, continue -"},
    {"{\"items\":[{\"s\":\"}]\\\"{[\\\\\"},\"]\",12,null,true,[[]]],\"metadata\":{}}",
        "{\"s\":\"}]\\\"{[\\\\\"}\n\"]\"\n12\nnull\ntrue\n[[]]\nversion -, continue -"},
    {"{\"x\":{\"items\":[1]},\"y\":\"items\",\"z\":3.5e1,\"items\":[],\"metadata\":{}}", "version -, continue -"},
    {"{\"it\\u0065ms\":[{\"a\":1}],\"metadata\":{}}", "{\"a\":1}\nversion -, continue -"},
    {"{\"items\":[\"go\",\"stop\",\"on\"],\"metadata\":{}}", "\"go\"\n\"stop\"\ngone: told so"},
    {"", "unavailable: the API server's list was cut off"},
    {"{\"items\":[{\"a\":1}", "{\"a\":1}\nunavailable: the API server's list was cut off"},
    {"{\"items\":[{\"a\":", "unavailable: the API server's list was cut off"},
    {"{\"metadata\":{},\"items\":[1]", "1\nunavailable: the API server's list was cut off"},
    {"{\"metadata\":{}}", "protocol: the API server's list has no items"},
    {"{}", "protocol: the API server's list has no items"},
    {"{\"items\":[]}", "protocol: the API server's list has no metadata"},
    {"{\"items\":[],\"metadata\":3}", "protocol: the API server's list has no metadata"},
    {"{\"items\":{},\"metadata\":{}}", "protocol: the API server's list has no items"},
    {"{\"items\":[],\"items\":[]}", "protocol: the API server's list has its items twice"},
    {"{\"metadata\":{},\"metadata\":{}}", "protocol: the API server's list has its metadata twice"},
    {"[]", "protocol: the API server's answer is no list"},
    {"<html>", "protocol: the API server's answer is no list"},
    {"{\"items\":[]},", "protocol: the API server's answer is no list"},
    {"{\"items\":[]} {}", "protocol: the API server's answer is no list"},
    {"{\"items\":[1,]}", "1\nprotocol: ..."},
    {"{\"items\":[,]}", "protocol: ..."},
    {"{\"items\":[1 2]}", "1\nprotocol: the API server's answer is no list"},
    {"{\"items\" [1]}", "protocol: the API server's answer is no list"},
    {"{items:[1]}", "protocol: the API server's answer is no list"},
    {"{\"items\":[\xEF\xBB\xBF{}]}", "protocol: the API server's answer is no list"},
    {"{3:[1]}", "protocol: ..."},
    {"{\"items\":[{\"a\":01}]}", "protocol: the API server's list: invalid JSON..."},
    {"{\"items\":[{\"a\":1,\"a\":2}]}", "protocol: the API server's list: invalid JSON..."},
    {"{\"items\":[{]}]}", "protocol: the API server's list: invalid JSON..."},
    {"{\"items\":[\"\xff\"]}", "protocol: the API server's list: invalid JSON..."},
    {"{\"x\":nope,\"items\":[]}", "protocol: the API server's list: invalid JSON..."},
    {"{\"items\":[{\"long\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}]}",
        "too-large: the API server's list has an item of more than 64 bytes"},
};

static void expect(const char *text, size_t step, const char *says)
{
    _cleanup_(buf_done) struct buf seen = BUF_INIT(1 << 16);
    size_t n = strlen(says);

    decode(text, step, 64, &seen);
    if (n > 3 && str_eq(says + n - 3, "...") ? strncmp(buf_str(&seen), says, n - 3) : strcmp(buf_str(&seen), says))
        fail_msg("%s (by %zu)\nsays %s\nnot  %s", text, step, buf_str(&seen), says);
}

static void a_list_says_the_same_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        for (size_t step = 0; step <= strlen(table[i].text); step++)
            expect(table[i].text, step, table[i].says);
}

static void an_item_is_handed_out_as_soon_as_it_is_complete(void **state)
{
    _cleanup_(kube_list_freep) struct kube_list *list = kube_list_new(0);
    _cleanup_(buf_done) struct buf seen = BUF_INIT(1024);
    static const char first[] = "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[{\"a\":1}";
    struct err err = ERR_INIT;
    (void)state;

    assert_null(kube_list_version(list));
    assert_int_equal(kube_list_feed(list, first, strlen(first), note, &seen, &err), 0);
    assert_string_equal(buf_str(&seen), "{\"a\":1}\n");
    assert_string_equal(kube_list_version(list), "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_says_the_same_wherever_it_is_cut),
        cmocka_unit_test(an_item_is_handed_out_as_soon_as_it_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
