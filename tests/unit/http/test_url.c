/* URLs: what is taken apart, what is refused, and when two are of one origin. */
#include "unit.h"

#include "base/buf.h"
#include "http/url.h"

#include <string.h>

static void urls_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *scheme, *host;
        int port;
        bool userinfo;
        const char *path;
    } rows[] = {
        {"http://a", "http", "a", 80, false, ""},
        {"HTTPS://Management.Azure.COM", "https", "management.azure.com", 443, false, ""},
        {"https://h:6443/api?x=1#f", "https", "h", 6443, false, "/api?x=1#f"},
        {"https://h?x", "https", "h", 443, false, "?x"},
        {"https://h#x", "https", "h", 443, false, "#x"},
        {"http://127.0.0.1:1/", "http", "127.0.0.1", 1, false, "/"},
        {"http://[::1]:65535/a", "http", "::1", 65535, false, "/a"},
        {"https://[2001:DB8::1]", "https", "2001:db8::1", 443, false, ""},
        {"https://user:pw@h/", "https", "h", 443, true, "/"},
        {"https://h/@x:99", "https", "h", 443, false, "/@x:99"},
        {"https://a_b.c-d.e./", "https", "a_b.c-d.e.", 443, false, "/"},
        {"https://1a.2b/", "https", "1a.2b", 443, false, "/"},
        {"https://h/%2e%2E/a//b/../c", "https", "h", 443, false, "/%2e%2E/a//b/../c"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_url url;
        struct err err = ERR_INIT;
        if (http_url_parse(rows[i].text, &url, &err) < 0)
            fail_msg("%s: %s", rows[i].text, err.msg);
        assert_string_equal(url.scheme, rows[i].scheme);
        assert_string_equal(url.host, rows[i].host);
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(url.has_userinfo, rows[i].userinfo);
        assert_string_equal(url.path, rows[i].path);
    }
}

static void what_could_be_read_two_ways_is_refused(void **state)
{
    static const char *const rows[] = {"", "h", "//h", "ftp://h", "file:///etc/passwd", "http:/h", "http:h", "http://",
        "http:///p", "https://?q", "https://:443/", "https://h:", "https://h:0", "https://h:65536",
        "https://h:99999999999", "https://h:+1", "https://h:1a", "https://h:80:80", "https://h h/", " https://h",
        "https://h/a b", "https://h/\n", "https://h/\x7f", "https://h\\@evil/", "https://h/a\\b", "https://a@b@c/",
        "https://h%2ecom/", "https://h\xc3\xa9/", "https://[::1", "https://[]/", "https://[::1]x/",
        "https://[::1]:", "https://[fe80::1%25eth0]/", "https://[h]/", "https://::1/", "https://h,i/", "https://(h)/",
        "https://h;x/", "https://user@/", "httpss://h", "https//h", "http://2130706433/", "http://0x7F.1/",
        "http://127.1/", "http://0177.0.0.1/", "http://127.0.0.256/", "http://a.0x/"};
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_url url;
        struct err err = ERR_INIT;
        if (http_url_parse(rows[i], &url, &err) == 0)
            fail_msg("accepted: %s", rows[i]);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_true(strlen(err.msg) > 10);
    }
}

static void a_host_longer_than_any_name_is_refused(void **state)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(1024);
    struct http_url url;
    (void)state;

    buf_puts(&text, "https://");
    for (int i = 0; i < 256; i++)
        buf_putc(&text, 'a');
    assert_int_equal(http_url_parse(buf_str(&text), &url, NULL), -1);
    text.data[text.len - 1] = '/';
    assert_int_equal(http_url_parse(buf_str(&text), &url, NULL), 0);
}

static void an_error_repeats_nothing_of_the_url(void **state)
{
    struct http_url url;
    struct err err = ERR_INIT;
    (void)state;

    assert_int_equal(http_url_parse("https://h:99999/?sig=hunter2", &url, &err), -1);
    assert_null(strstr(err.msg, "hunter2"));
    assert_int_equal(http_url_parse("ftp://h/?sig=hunter2", &url, &err), -1);
    assert_null(strstr(err.msg, "hunter2"));
}

static void origins_are_scheme_host_and_port(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"https://h", "https://H:443/x", true},
        {"http://h", "http://h:80", true},
        {"https://[::1]", "https://[::1]:443", true},
        {"https://h", "http://h", false},
        {"https://h", "http://h:443", false},
        {"https://h", "https://h:444", false},
        {"https://h", "https://h.evil.com", false},
        {"https://h", "https://evil.com/h", false},
        {"https://h", "https://h@evil.com", false},
        {"https://h", "https://u@h", false},
        {"https://u@h", "https://u@h", false},
        {"https://h", "https://h.", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_url a, b;
        assert_int_equal(http_url_parse(rows[i].a, &a, NULL), 0);
        assert_int_equal(http_url_parse(rows[i].b, &b, NULL), 0);
        if (http_url_same_origin(&a, &b) != rows[i].same || http_url_same_origin(&b, &a) != rows[i].same)
            fail_msg("%s and %s", rows[i].a, rows[i].b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(what_could_be_read_two_ways_is_refused),
        cmocka_unit_test(a_host_longer_than_any_name_is_refused),
        cmocka_unit_test(an_error_repeats_nothing_of_the_url),
        cmocka_unit_test(origins_are_scheme_host_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
