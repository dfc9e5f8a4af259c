/* The watch decoder: bytes in, events out, whatever the split. */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "kube/watch.h"

#include <string.h>

/* What was seen, as text: "ADDED 7 a\n". */
struct seen {
    struct buf text;
    int stop_after; /* 0: never */
    int n;
};

static int note(void *ctx, const struct kube_watch_event *event, struct err *err)
{
    static const char *const names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK"};
    struct seen *seen = ctx;
    const char *name = json_string_at(event->object, "metadata.name");

    buf_printf(&seen->text, "%s %s %s\n", names[event->type], event->resource_version, name ? name : "-");
    if (++seen->n == seen->stop_after)
        return err_set(err, ERR_CANCELLED, "enough");
    return 0;
}

#define EVENT(type, version, name)                                                                                     \
    "{\"type\":\"" type "\",\"object\":{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version "\"}}}\n"

static const char stream[] = EVENT("ADDED", "7", "a") EVENT("MODIFIED", "8", "\u00e4\u20ac") "\n" EVENT(
    "DELETED", "9", "a") "\r\n"
                         "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"12\"}}}\n" EVENT(
                             "ADDED", "13", "{\\n\\\"}");
static const char told[] = "ADDED 7 a\nMODIFIED 8 \u00e4\u20ac\nDELETED 9 a\nBOOKMARK 12 -\nADDED 13 {\n\"}\n";

static int feed(struct kube_watch *watch, const char *text, struct seen *seen, struct err *err)
{
    *err = ERR_INIT;
    return kube_watch_feed(watch, text, strlen(text), note, seen, err);
}

static void a_stream_split_at_any_byte_gives_the_same_events(void **state)
{
    size_t len = strlen(stream);
    (void)state;

    for (size_t at = 0; at <= len; at++) {
        _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(0);
        struct seen seen = {.text = BUF_INIT(4096)};
        struct err err = ERR_INIT;
        assert_int_equal(kube_watch_feed(watch, stream, at, note, &seen, &err), 0);
        assert_int_equal(kube_watch_feed(watch, stream + at, len - at, note, &seen, &err), 0);
        assert_int_equal(kube_watch_end(watch, &err), 0);
        assert_string_equal(buf_str(&seen.text), told);
        buf_done(&seen.text);
    }
}

static void a_stream_in_pieces_of_any_size_gives_the_same_events(void **state)
{
    size_t len = strlen(stream);
    (void)state;

    for (size_t piece = 1; piece <= 64; piece++) {
        _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(0);
        struct seen seen = {.text = BUF_INIT(4096)};
        struct err err = ERR_INIT;
        for (size_t at = 0; at < len; at += piece)
            assert_int_equal(
                kube_watch_feed(watch, stream + at, len - at < piece ? len - at : piece, note, &seen, &err), 0);
        assert_string_equal(buf_str(&seen.text), told);
        buf_done(&seen.text);
    }
}

static void a_stream_that_ends_within_a_line_was_cut(void **state)
{
    size_t len = strlen(stream);
    (void)state;

    for (size_t at = 0; at <= len; at++) {
        _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(0);
        struct seen seen = {.text = BUF_INIT(4096)};
        struct err err = ERR_INIT;
        bool whole = at == 0 || stream[at - 1] == '\n' || stream[at - 1] == '\r';
        assert_int_equal(kube_watch_feed(watch, stream, at, note, &seen, &err), 0);
        assert_int_equal(kube_watch_end(watch, &err), whole ? 0 : -1);
        if (!whole)
            assert_int_equal(err.kind, ERR_UNAVAILABLE);
        buf_done(&seen.text);
    }
}

static void bad_lines_are_errors_that_say_so(void **state)
{
    static const struct {
        const char *text;
        enum err_kind kind;
        const char *part;
    } rows[] = {
        {"{\"type\":\"ADDED\"\n", ERR_PROTOCOL, "watch event"},
        {"[]\n", ERR_PROTOCOL, "no type or no object"},
        {"null\n", ERR_PROTOCOL, "no type or no object"},
        {"{\"type\":1,\"object\":{}}\n", ERR_PROTOCOL, "no type or no object"},
        {"{\"type\":\"ADDED\",\"object\":[]}\n", ERR_PROTOCOL, "no type or no object"},
        {"{\"Type\":\"ADDED\",\"object\":{}}\n", ERR_PROTOCOL, "no type or no object"},
        {"{\"type\":\"RENAMED\",\"object\":{}}\n", ERR_PROTOCOL, "unknown type \"RENAMED\""},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n", ERR_PROTOCOL, "resourceVersion"},
        {"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"\"}}}\n", ERR_PROTOCOL,
            "resourceVersion"},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":7}}}\n", ERR_PROTOCOL, "resourceVersion"},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}} x\n", ERR_PROTOCOL, "watch event"},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}{}\n", ERR_PROTOCOL, "watch event"},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\","
         "\"message\":\"too old resource version: 1 (2)\"}}\n",
            ERR_GONE, "too old resource version: 1 (2)"},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"reason\":\"Expired\",\"message\":\"old\"}}\n", ERR_GONE,
            "old"},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500,\"message\":\"etcd\"}}\n", ERR_UNAVAILABLE,
            "etcd"},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":429,\"message\":\"slow\"}}\n", ERR_THROTTLED,
            "slow"},
        {"{\"type\":\"ERROR\",\"object\":{\"code\":-7}}\n", ERR_UNAVAILABLE, "without a message"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(0);
        struct seen seen = {.text = BUF_INIT(4096)};
        struct err err;
        print_message("  %s", rows[i].text);
        assert_int_equal(feed(watch, EVENT("ADDED", "1", "before"), &seen, &err), 0);
        assert_int_equal(feed(watch, rows[i].text, &seen, &err), -1);
        assert_string_equal(err_kind_name(err.kind), err_kind_name(rows[i].kind));
        assert_non_null(strstr(err.msg, rows[i].part));
        assert_string_equal(buf_str(&seen.text), "ADDED 1 before\n");
        buf_done(&seen.text);
    }
}

static void a_nul_byte_is_no_white_space(void **state)
{
    _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(0);
    struct seen seen = {.text = BUF_INIT(64)};
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(kube_watch_feed(watch, "\0\n", 2, note, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_PROTOCOL);
}

static void the_cap_counts_a_line_and_not_the_stream(void **state)
{
    const char *event = EVENT("ADDED", "1", "a");
    size_t line = strlen(event) - 1;
    (void)state;

    for (int short_by = 0; short_by < 2; short_by++) {
        for (size_t piece = 1; piece <= line + 1; piece += 7) {
            _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(line - (size_t)short_by);
            struct seen seen = {.text = BUF_INIT(4096)};
            struct err err = ERR_INIT;
            int r = 0;
            for (int n = 0; n < 3 && r == 0; n++)
                for (size_t at = 0; at < line + 1 && r == 0; at += piece)
                    r = kube_watch_feed(
                        watch, event + at, line + 1 - at < piece ? line + 1 - at : piece, note, &seen, &err);
            assert_int_equal(r, short_by ? -1 : 0);
            assert_int_equal(err.kind, short_by ? ERR_TOO_LARGE : ERR_NONE);
            assert_int_equal(seen.n, short_by ? 0 : 3);
            buf_done(&seen.text);
        }
    }
}

static void a_large_object_in_small_pieces_is_one_event(void **state)
{
    _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(0);
    struct buf text = BUF_INIT(4 << 20);
    struct seen seen = {.text = BUF_INIT(4096)};
    struct err err = ERR_INIT;
    (void)state;

    buf_puts(&text, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"1\"},\"data\":\"");
    while (text.len < (2 << 20))
        buf_puts(&text, "0123456789abcdef");
    buf_puts(&text, "\"}}\n");
    for (int n = 0; n < 2; n++)
        for (size_t at = 0; at < text.len; at += 1000)
            assert_int_equal(
                kube_watch_feed(watch, text.data + at, text.len - at < 1000 ? text.len - at : 1000, note, &seen, &err),
                0);
    assert_string_equal(buf_str(&seen.text), "ADDED 1 -\nADDED 1 -\n");
    buf_done(&text);
    buf_done(&seen.text);
}

static void the_callback_can_stop(void **state)
{
    _cleanup_(kube_watch_freep) struct kube_watch *watch = kube_watch_new(0);
    struct seen seen = {.text = BUF_INIT(4096), .stop_after = 2};
    struct err err;
    (void)state;

    assert_int_equal(feed(watch, stream, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_int_equal(seen.n, 2);
    buf_done(&seen.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_split_at_any_byte_gives_the_same_events),
        cmocka_unit_test(a_stream_in_pieces_of_any_size_gives_the_same_events),
        cmocka_unit_test(a_stream_that_ends_within_a_line_was_cut),
        cmocka_unit_test(bad_lines_are_errors_that_say_so),
        cmocka_unit_test(a_nul_byte_is_no_white_space),
        cmocka_unit_test(the_cap_counts_a_line_and_not_the_stream),
        cmocka_unit_test(a_large_object_in_small_pieces_is_one_event),
        cmocka_unit_test(the_callback_can_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
