/* Lists in pages: followed, checked like any URL of Azure's, and never without end. */
#include "azure_rig.h"

#define FIRST ARM_URL SUBSCRIPTION "/things?api-version=2020-01-01&$filter=a%20eq%20%27b%27"

struct seen {
    char names[64];
    const char *stop_at, *fail_at;
};

static int note(void *data, const cJSON *item, struct err *err)
{
    struct seen *seen = data;
    const char *name = json_string_at(item, "n");

    strncat(seen->names, name, sizeof(seen->names) - strlen(seen->names) - 1);
    if (seen->fail_at && strcmp(seen->fail_at, name) == 0)
        return err_set(err, ERR_PROTOCOL, "not this one");
    return seen->stop_at && strcmp(seen->stop_at, name) == 0;
}

static int walk(struct rig *rig, size_t max_items, struct seen *seen, struct err *err)
{
    static const struct arm_query query[] = {{"$filter", "a eq 'b'"}, {NULL, NULL}};
    const struct arm_list list = {.path = SUBSCRIPTION "/things",
        .api_version = "2020-01-01",
        .query = query,
        .max_items = max_items,
        .on_item = note,
        .data = seen};

    return arm_list(rig->arm, &list, err);
}

#define PAGE(items, next)                                                                                              \
    {                                                                                                                  \
        .status = 200, .body = "{\"value\":[" items "],\"nextLink\":\"" next "\"}"                                     \
    }
#define LAST(items)                                                                                                    \
    {                                                                                                                  \
        .status = 200, .body = "{\"value\":[" items "]}"                                                               \
    }
#define ITEM(name) "{\"n\":\"" name "\"}"

static void pages_are_followed_to_the_end(void **state)
{
    static const struct fake_answer answers[] = {
        PAGE(ITEM("a") "," ITEM("b"), ARM_URL "/next?$skiptoken=x%2Fy"),
        PAGE("", "HTTPS://Management.Azure.com:443/third"),
        PAGE(ITEM("c"), ""),
    };
    _cleanup_(rig_close) struct rig rig;
    struct seen seen = {0};
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, answers, ARRAY_LEN(answers));
    assert_int_equal(walk(&rig, 0, &seen, &err), 0);
    assert_string_equal(seen.names, "abc");
    rig_is_through(&rig);
    assert_string_equal(rig.fake->seen[0].url, FIRST);
    assert_string_equal(rig.fake->seen[1].url, ARM_URL "/next?$skiptoken=x%2Fy");
    assert_string_equal(rig.fake->seen[2].url, "HTTPS://Management.Azure.com:443/third");
}

static void an_untrusted_next_page_is_never_asked_for(void **state)
{
    static const struct {
        struct fake_answer answer;
        const char *words;
    } rows[] = {
        {PAGE("", "https://evil.example/next"), "points at evil.example"},
        {PAGE("", "http://management.azure.com/next"), "not https"},
        {PAGE("", "https://u:p@management.azure.com/next"), "user name"},
        {PAGE("", "https://management.azure.com:444/next"), "port 444"},
        {PAGE("", "/next"), "cannot be used"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        struct seen seen = {0};
        struct err err = ERR_INIT;
        rig_open(&rig, &rows[i].answer, 1);
        assert_int_equal(walk(&rig, 0, &seen, &err), -1);
        assert_int_equal(err.kind, ERR_PROTOCOL);
        says(&err, rows[i].words);
        rig_is_through(&rig);
    }
}

static void what_is_no_list_is_refused(void **state)
{
    static const struct {
        struct fake_answer answer;
        enum err_kind kind;
    } rows[] = {
        {{.status = 200, .body = "{}"}, ERR_PROTOCOL},
        {{.status = 200, .body = "{\"value\":{}}"}, ERR_PROTOCOL},
        {{.status = 200, .body = "<html>"}, ERR_PROTOCOL},
        {{.status = 429, .body = THROTTLED_BODY}, ERR_THROTTLED},
        {{.status = 403, .body = FORBIDDEN_BODY}, ERR_FORBIDDEN},
        {{.fails = ERR_UNAVAILABLE}, ERR_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(rig_close) struct rig rig;
        struct seen seen = {0};
        struct err err = ERR_INIT;
        rig_open(&rig, &rows[i].answer, 1);
        assert_int_equal(walk(&rig, 0, &seen, &err), -1);
        assert_int_equal(err.kind, rows[i].kind);
    }
}

static void the_caller_ends_it(void **state)
{
    static const struct fake_answer answers[] = {
        PAGE(ITEM("a") "," ITEM("b") "," ITEM("c"), ARM_URL "/next"),
    };
    _cleanup_(rig_close) struct rig rig, again;
    struct seen enough = {.stop_at = "b"}, fails = {.fail_at = "b"};
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, answers, 1);
    rig_open(&again, answers, 1);
    assert_int_equal(walk(&rig, 0, &enough, &err), 0);
    assert_string_equal(enough.names, "ab");
    assert_int_equal(walk(&again, 0, &fails, &err), -1);
    assert_string_equal(fails.names, "ab");
    says(&err, "not this one");
}

static void items_have_a_cap(void **state)
{
    static const struct fake_answer answers[] = {PAGE(ITEM("a"), ARM_URL "/2"), LAST(ITEM("b") "," ITEM("c"))};

    (void)state;
    for (size_t max = 2; max <= 3; max++) {
        _cleanup_(rig_close) struct rig rig;
        struct seen seen = {0};
        struct err err = ERR_INIT;
        rig_open(&rig, answers, 2);
        assert_int_equal(walk(&rig, max, &seen, &err), max == 3 ? 0 : -1);
        assert_string_equal(seen.names, max == 3 ? "abc" : "ab");
        assert_int_equal(err.kind, max == 3 ? ERR_NONE : ERR_TOO_LARGE);
    }
}

/* A client that always has one more page. */
static int endless(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    (void)self;
    (void)request;
    (void)err;
    response->status = 200;
    buf_puts(&response->body, "{\"value\":[],\"nextLink\":\"" ARM_URL "/same\"}");
    return 0;
}

static void a_list_that_links_to_itself_ends(void **state)
{
    _cleanup_(rig_close) struct rig rig;
    struct seen seen = {0};
    struct err err = ERR_INIT;

    (void)state;
    rig_open(&rig, NULL, 0);
    rig.fake->client.perform = endless;
    assert_int_equal(walk(&rig, 0, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_TOO_LARGE);
    says(&err, "pages");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_followed_to_the_end),
        cmocka_unit_test(an_untrusted_next_page_is_never_asked_for),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(the_caller_ends_it),
        cmocka_unit_test(items_have_a_cap),
        cmocka_unit_test(a_list_that_links_to_itself_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
