/* TLS, and HTTP/2 over it, with curl. */
#include "rig_tls.h"

static void http_1_1_and_http_2_are_chosen_by_alpn(void **state)
{
    static const struct {
        long asked, got;
    } rows[] = {{CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_1_1}, {CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_2_0}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a;
        CURL *curl = rig_curl(&rig, "/echo?a=%26", &a);

        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, rows[i].asked);
        rig_finish(curl, &a);
        assert_int_equal(a.version, rows[i].got);
        assert_string_equal(buf_str(&a.body), "GET /echo ?a=%26 body=0 odd=- host=1 auth=- []");
        answer_done(&a);
    }
}

static void every_method_arrives_with_its_body(void **state)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        _cleanup_(answer_done) struct answer a = rig_request(&rig, methods[i], "/a%2Fb//..?x", "body!", 5);
        _cleanup_(freep) char *want = xasprintf("%s /a%%2Fb//.. ?x body=5 odd=- host=1 auth=- [body!]", methods[i]);

        assert_int_equal(a.version, CURL_HTTP_VERSION_2_0);
        assert_string_equal(buf_str(&a.body), want);
    }
}

static void headers_of_any_name_and_long_urls_arrive(void **state)
{
    _cleanup_(buf_done) struct buf path = BUF_INIT(65536), header = BUF_INIT(65536);
    struct curl_slist *list;
    struct answer a;
    CURL *curl;

    (void)state;
    buf_printf(&path, "/echo?%08000d", 1);
    buf_printf(&header, "X-ODD_Name: %020000d", 2);
    list = curl_slist_append(NULL, header.data);
    curl = rig_curl(&rig, path.data, &a);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    rig_finish(curl, &a);
    curl_slist_free_all(list);
    assert_non_null(strstr(buf_str(&a.body), "0001 body=0 odd=000"));
    assert_non_null(strstr(buf_str(&a.body), "0002 host=1"));
    assert_true(a.body.len > 28000);
    assert_non_null(strstr(buf_str(&a.head), "x-server: rig\r\n"));
    assert_null(strstr(buf_str(&a.head), "Evil"));
    answer_done(&a);
}

static void large_answers_bodies_and_headers_pass_the_windows(void **state)
{
    _cleanup_(freep) char *body = xcalloc(1, 300001);
    _cleanup_(answer_done) struct answer big = rig_request(&rig, "GET", "/big", NULL, 0);
    _cleanup_(answer_done) struct answer fits = rig_request(&rig, "PUT", "/echo", body, 300000);
    _cleanup_(answer_done) struct answer large = rig_request(&rig, "PUT", "/echo", body, 300001);
    _cleanup_(answer_done) struct answer head = rig_request(&rig, "GET", "/head", NULL, 0);
    _cleanup_(answer_done) struct answer none = rig_request(&rig, "HEAD", "/big", NULL, 0);

    (void)state;
    assert_int_equal(big.body.len, BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++) {
        if (big.body.data[i] != big_byte(i))
            fail_msg("byte %zu is wrong", i);
    }
    assert_string_equal(buf_str(&fits.body), "PUT /echo ? body=300000 odd=- host=1 auth=-");
    assert_int_equal(large.status, 413);
    assert_string_equal(buf_str(&head.body), "ok");
    assert_true(head.head.len > 40000);
    assert_int_equal(none.status, 200);
    assert_int_equal(none.body.len, 0);
}

static void turn(CURLM *multi, int ms)
{
    int running;

    curl_multi_perform(multi, &running);
    curl_multi_poll(multi, NULL, 0, ms, NULL);
}

static void wait_for_body(CURLM *multi, struct answer *a, const char *text)
{
    for (int i = 0; !strstr(buf_str(&a->body), text); i++) {
        assert_true(i < PATIENCE_S * 100);
        turn(multi, 10);
    }
}

static void wait_for_held(CURLM *multi, size_t n)
{
    bool there = false;

    for (int i = 0; !there; i++) {
        assert_true(i < PATIENCE_S * 100);
        turn(multi, 10);
        pthread_mutex_lock(&rig.lock);
        there = rig.n_held >= n;
        pthread_mutex_unlock(&rig.lock);
    }
}

static CURLM *one_connection(void)
{
    CURLM *multi = curl_multi_init();

    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, 1L);
    return multi;
}

static CURL *add(CURLM *multi, const char *path, struct answer *a)
{
    CURL *curl = rig_curl(&rig, path, a);

    curl_easy_setopt(curl, CURLOPT_PIPEWAIT, 1L);
    curl_multi_add_handle(multi, curl);
    return curl;
}

static void drop(CURLM *multi, CURL *curl, struct answer *a)
{
    curl_multi_remove_handle(multi, curl);
    curl_easy_cleanup(curl);
    answer_done(a);
}

static void many_streams_share_a_connection_and_end_in_any_order(void **state)
{
    enum { N = 40 };
    CURLM *multi = one_connection();
    struct answer a[N];
    CURL *curl[N];

    (void)state;
    for (int i = 0; i < N; i++)
        curl[i] = add(multi, "/held", &a[i]);
    wait_for_held(multi, N);
    for (size_t i = 0; i < N; i++) {
        httpd_stream_begin(rig_held(&rig, N - 1 - i), 200, NULL, 0);
        httpd_stream_write(rig_held(&rig, N - 1 - i), "one.", 4);
    }
    for (int i = 0; i < N; i++)
        wait_for_body(multi, &a[i], "one.");
    for (size_t i = 0; i < N; i++) {
        httpd_stream_write(rig_held(&rig, i), "two.", 4);
        httpd_stream_end(rig_held(&rig, i));
    }
    for (int i = 0; i < N; i++) {
        wait_for_body(multi, &a[i], "one.two.");
        drop(multi, curl[i], &a[i]);
    }
    curl_multi_cleanup(multi);
}

static void a_stream_that_is_reset_is_gone_and_the_others_go_on(void **state)
{
    CURLM *multi = one_connection();
    struct answer a, b, c;
    CURL *first = add(multi, "/held", &a), *second, *third = NULL;

    (void)state;
    wait_for_held(multi, 1);
    second = add(multi, "/held", &b);
    wait_for_held(multi, 2);
    drop(multi, first, &a);
    httpd_stream_begin(rig_held(&rig, 1), 200, NULL, 0);
    for (int i = 0; !httpd_gone(rig_held(&rig, 0)); i++) {
        assert_true(i < PATIENCE_S * 100);
        /* libcurl 7.88 sends the reset together with whatever it sends next. */
        if (i == 1)
            third = add(multi, "/echo", &c);
        turn(multi, 10);
    }
    assert_false(httpd_gone(rig_held(&rig, 1)));
    httpd_reply_text(rig_held(&rig, 0), 200, "text/plain", "dropped");
    httpd_stream_write(rig_held(&rig, 1), "second", 6);
    httpd_stream_end(rig_held(&rig, 1));
    wait_for_body(multi, &b, "second");
    drop(multi, second, &b);
    if (third)
        drop(multi, third, &c);
    curl_multi_cleanup(multi);
}

static void an_abort_closes_the_whole_connection(void **state)
{
    CURLM *multi = one_connection();
    struct answer a, b;
    CURL *first = add(multi, "/held", &a), *second = add(multi, "/held", &b);

    (void)state;
    wait_for_held(multi, 2);
    httpd_abort(rig_held(&rig, 0));
    wait_until_gone(rig_held(&rig, 1));
    httpd_reply_text(rig_held(&rig, 1), 200, "text/plain", "dropped");
    drop(multi, first, &a);
    drop(multi, second, &b);
    curl_multi_cleanup(multi);
}

static void stopping_closes_open_streams(void **state)
{
    CURLM *multi = one_connection();
    struct answer a;
    CURL *curl = add(multi, "/held", &a);
    struct httpd_exchange *x;

    (void)state;
    wait_for_held(multi, 1);
    x = rig_held(&rig, 0);
    httpd_stream_begin(x, 200, NULL, 0);
    rig.server = httpd_stop(rig.server);
    assert_true(httpd_gone(x));
    httpd_stream_end(x);
    drop(multi, curl, &a);
    curl_multi_cleanup(multi);
}

static void client_certificates_are_verified_when_they_come(void **state)
{
    const struct {
        const char *cert, *key;
        bool good;
    } rows[] = {{NULL, NULL, true}, {cert, key, true}, {other_cert, other_key, false}};
    struct rig mutual;

    (void)state;
    rig_start(&mutual, (struct httpd_options){.tls_cert_file = cert, .tls_key_file = key, .tls_client_ca_file = cert});
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a;
        CURL *curl = rig_curl(&mutual, "/echo", &a);

        if (rows[i].cert) {
            curl_easy_setopt(curl, CURLOPT_SSLCERT, rows[i].cert);
            curl_easy_setopt(curl, CURLOPT_SSLKEY, rows[i].key);
        }
        rig_finish(curl, &a);
        assert_int_equal(a.code == CURLE_OK && a.status == 200, rows[i].good);
        answer_done(&a);
    }
    rig_stop(&mutual);
}

static void plain_text_on_the_tls_port_is_refused(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    _cleanup_(buf_done) struct buf got = raw_exchange(&rig, text, sizeof(text) - 1);

    (void)state;
    assert_null(strstr(buf_str(&got), "HTTP"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(http_1_1_and_http_2_are_chosen_by_alpn),
        T(every_method_arrives_with_its_body),
        T(headers_of_any_name_and_long_urls_arrive),
        T(large_answers_bodies_and_headers_pass_the_windows),
        T(many_streams_share_a_connection_and_end_in_any_order),
        T(a_stream_that_is_reset_is_gone_and_the_others_go_on),
        T(an_abort_closes_the_whole_connection),
        T(stopping_closes_open_streams),
        T(client_certificates_are_verified_when_they_come),
        T(plain_text_on_the_tls_port_is_refused),
    };

    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
