/* The examples of RFC 7541, appendix C, and what a hostile peer might send instead. */
#include "unit.h"

#include "base/buf.h"
#include "base/str.h"
#include "httpd/hpack.h"
#include "httpd/huffman.h"

#include <string.h>

static size_t from_hex(const char *hex, uint8_t *ret, size_t size)
{
    size_t n = 0;

    for (; *hex; hex++) {
        unsigned high, low;

        if (*hex == ' ')
            continue;
        high = (unsigned)(ascii_isdigit(hex[0]) ? hex[0] - '0' : hex[0] - 'a' + 10);
        low = (unsigned)(ascii_isdigit(hex[1]) ? hex[1] - '0' : hex[1] - 'a' + 10);
        assert_true(n < size);
        ret[n++] = (uint8_t)(high << 4 | low);
        hex++;
    }
    return n;
}

static void on_field(void *ctx, const char *name, size_t name_len, const char *value, size_t value_len)
{
    buf_add(ctx, name, name_len);
    buf_puts(ctx, ": ");
    buf_add(ctx, value, value_len);
    buf_puts(ctx, "\n");
}

/* The block's headers as lines, or NULL when it is refused. */
static char *decode(struct hpack *h, const char *hex)
{
    struct buf text = BUF_INIT(1 << 20);
    uint8_t block[1024];
    size_t n = from_hex(hex, block, sizeof(block));

    if (hpack_decode(h, block, n, 4096, on_field, &text) == 0)
        return buf_take(&text);
    buf_done(&text);
    return NULL;
}

static void check(struct hpack *h, const char *hex, const char *want)
{
    _cleanup_(freep) char *got = decode(h, hex);

    assert_non_null(got);
    assert_string_equal(got, want);
}

static void requests_without_huffman_as_in_c_3(void **state)
{
    struct hpack h = {0};

    (void)state;
    check(&h, "828684410f7777772e6578616d706c652e636f6d",
        ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n");
    check(&h, "828684be58086e6f2d6361636865",
        ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n");
    check(&h, "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n");
    assert_int_equal(h.used, 164);
    hpack_done(&h);
}

static void requests_with_huffman_as_in_c_4(void **state)
{
    struct hpack h = {0};

    (void)state;
    check(&h, "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n");
    check(&h, "828684be5886a8eb10649cbf",
        ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n");
    check(&h, "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n");
    hpack_done(&h);
}

static void a_small_table_evicts_as_in_c_6(void **state)
{
    struct hpack h = {0};

    (void)state;
    /* The example begins with a table of 256 octets, agreed elsewhere; here the block says it (3fe101). */
    check(&h,
        "3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad1718"
        "63c78f0b97c8e9ae82ae43d3",
        ":status: 302\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
        "location: https://www.example.com\n");
    assert_int_equal(h.used, 222);
    check(&h, "4883640effc1c0bf",
        ":status: 307\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\n"
        "location: https://www.example.com\n");
    check(&h,
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335df"
        "dfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\n"
        "location: https://www.example.com\ncontent-encoding: gzip\n"
        "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n");
    assert_int_equal(h.used, 215);
    hpack_done(&h);
}

static void malformed_blocks_are_refused(void **state)
{
    static const char *const blocks[] = {
        "80",                  /* index 0 */
        "be",                  /* an entry that the empty table does not have */
        "ff",                  /* an integer that ends early */
        "ffffffffffffffff7f",  /* an integer without end */
        "4005",                /* a name that ends early */
        "400161",              /* no value */
        "40016105",            /* a value that ends early */
        "3fe21f",              /* a table larger than allowed: 4097 */
        "40 84 ffffffff 0161", /* the end-of-string symbol */
        "40 81 00 0161",       /* padding that is not ones */
        "40 82 07ff 0161",     /* padding of more than seven bits */
        "40 7f ff1f 61",       /* a length beyond the block */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        struct hpack h = {0};
        char *got = decode(&h, blocks[i]);

        if (got)
            fail_msg("%s was taken for: %s", blocks[i], got);
        hpack_done(&h);
    }
}

static void an_entry_may_be_named_after_the_one_it_evicts(void **state)
{
    struct hpack h = {0};

    (void)state;
    check(&h, "3f0b 4003616263 03313233", "abc: 123\n"); /* table of 42 */
    check(&h, "7e 03343536", "abc: 456\n");
    check(&h, "be", "abc: 456\n");
    hpack_done(&h);
}

static void what_is_encoded_is_decoded_to_the_same_in_lower_case(void **state)
{
    struct hpack h = {0};
    struct buf block = BUF_INIT(65536), text = BUF_INIT(65536);
    char value[301];

    (void)state;
    memset(value, 'v', 300);
    value[300] = '\0';
    hpack_encode(&block, ":status", "200");
    hpack_encode(&block, "Content-Type", "");
    hpack_encode(&block, "x", value);
    assert_int_equal(hpack_decode(&h, (const uint8_t *)block.data, block.len, 4096, on_field, &text), 0);
    assert_true(str_has_prefix(buf_str(&text), ":status: 200\ncontent-type: \nx: vvv"));
    assert_int_equal(text.len, 13 + 15 + 3 + 300 + 1);
    assert_int_equal(h.n, 0);
    buf_done(&block);
    buf_done(&text);
    hpack_done(&h);
}

static void a_string_beyond_the_cap_is_refused(void **state)
{
    uint8_t block[5000] = {0x00, 0x01, 'a', 0x7f, 0x80 | (4097 - 127) % 128, (4097 - 127) / 128};
    struct hpack h = {0};
    struct buf text = BUF_INIT(65536);

    (void)state;
    assert_int_equal(hpack_decode(&h, block, 6 + 4097, 4096, on_field, &text), -1);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_without_huffman_as_in_c_3),
        cmocka_unit_test(requests_with_huffman_as_in_c_4),
        cmocka_unit_test(a_small_table_evicts_as_in_c_6),
        cmocka_unit_test(malformed_blocks_are_refused),
        cmocka_unit_test(an_entry_may_be_named_after_the_one_it_evicts),
        cmocka_unit_test(what_is_encoded_is_decoded_to_the_same_in_lower_case),
        cmocka_unit_test(a_string_beyond_the_cap_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
