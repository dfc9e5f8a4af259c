/* Addresses of flags. */
#include "unit.h"

#include "base/str.h"
#include "controller/listen.h"

static void addresses_are_split_or_refused(void **state)
{
    static const struct {
        const char *text, *host; /* NULL: refused */
        int port;
    } rows[] = {
        {":8443", "0.0.0.0", 8443},
        {"127.0.0.1:0", "127.0.0.1", 0},
        {"[::1]:65535", "::1", 65535},
        {"[::]:1", "::", 1},
        {"8443", NULL, 0},
        {"", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:-1", NULL, 0},
        {"127.0.0.1:x", NULL, 0},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char host[LISTEN_HOST_SIZE] = "";
        struct err err = ERR_INIT;
        int port = -1, r = listen_parse("--some-flag", rows[i].text, host, &port, &err);

        if (rows[i].host && (r < 0 || !str_eq(host, rows[i].host) || port != rows[i].port))
            fail_msg("%s: %s %d %s", rows[i].text, host, port, err.msg);
        if (!rows[i].host && (r == 0 || !str_has_prefix(err.msg, "--some-flag takes ADDRESS:PORT")))
            fail_msg("%s: %s", rows[i].text, err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses_are_split_or_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
