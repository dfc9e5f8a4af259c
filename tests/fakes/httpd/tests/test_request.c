/* What is done to a request's strings, without a server. */
#include "unit.h"

#include "base/str.h"
#include "httpd/internal.h"

#include <string.h>

static void query_parameters_are_decoded(void **state)
{
    static const struct {
        const char *query, *name, *value; /* NULL: absent */
    } rows[] = {
        {"a=1&b=2", "b", "2"},
        {"a=1&b=2", "c", NULL},
        {"ab=1", "a", NULL},
        {"a=1", "ab", NULL},
        {"a", "a", ""},
        {"a=", "a", ""},
        {"x=%26%3d+%2B", "x", "&= +"},
        {"%61=1", "a", "1"},
        {"a=%zz%", "a", "%zz%"},
        {"a=1&a=2", "a", "1"},
        {"&&a=1", "a", "1"},
        {"a=b=c", "a", "b=c"},
        {"a=%00", "a", NULL},
        {"a=123456789", "a", NULL},
        {"", "a", NULL},
        {"watch=true&labelSelector=app%3Dx", "labelSelector", "app=x"},
    };
    char value[9];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct httpd_request r = {.query = rows[i].query};
        bool found = httpd_query(&r, rows[i].name, value, sizeof(value));

        if (found != (rows[i].value != NULL) || (found && !str_eq(value, rows[i].value)))
            fail_msg("%s in %s gave %s", rows[i].name, rows[i].query, found ? value : "nothing");
    }
}

static void names_are_lower_cased_and_the_first_of_several_wins(void **state)
{
    struct request r;

    (void)state;
    request_init(&r, 10);
    request_line(&r, "GET", 3, "/p?q?r", 6);
    request_field(&r, "Accept", 6, "a", 1);
    request_field(&r, "ACCEPT", 6, "b", 1);
    request_field(&r, "empty", 5, "", 0);
    request_field(&r, "a", 1, "accept", 6);
    assert_string_equal(request_header(&r, "accept"), "a");
    assert_string_equal(request_header(&r, "empty"), "");
    assert_string_equal(request_header(&r, "a"), "accept");
    assert_null(request_header(&r, "b"));
    assert_null(request_header(&r, "Accept"));
    assert_string_equal(r.text.data + r.path, "/p");
    assert_string_equal(r.text.data + r.query, "q?r");
    request_done(&r);
}

static void a_pipe_gives_back_what_was_put_in(void **state)
{
    struct pipe q = PIPE_INIT;
    size_t put = 0, got = 0;
    char c;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 100; i++, put++) {
            c = (char)(put % 251);
            pipe_add(&q, &c, 1);
        }
        for (int i = 0; i < 100 - round % 2 * 50; i++, got++) {
            assert_int_equal((unsigned char)pipe_data(&q)[0], got % 251);
            pipe_drop(&q, 1);
        }
    }
    assert_int_equal(pipe_len(&q), put - got);
    pipe_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_parameters_are_decoded),
        cmocka_unit_test(names_are_lower_cased_and_the_first_of_several_wins),
        cmocka_unit_test(a_pipe_gives_back_what_was_put_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
