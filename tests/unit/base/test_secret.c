/* Secrets are shared by reference and wiped; digests are those of FIPS 180. */
#include "unit.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/secret.h"

#include <pthread.h>
#include <string.h>

static void a_secret_keeps_a_copy_of_its_bytes(void **state)
{
    char bytes[] = "token";
    (void)state;

    _cleanup_(secret_unrefp) struct secret *s = secret_new(bytes, 5);
    secret_wipe(bytes, sizeof(bytes));
    assert_memory_equal(bytes, "\0\0\0\0\0\0", sizeof(bytes));
    assert_string_equal(secret_reveal(s), "token");
    assert_int_equal(secret_len(s), 5);
    secret_wipe(NULL, 0);
}

static void any_length_will_do(void **state)
{
    static const size_t lengths[] = {0, 1, 4000, 4096, 100000};
    static char bytes[100000];
    (void)state;

    memset(bytes, 'k', sizeof(bytes));
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        _cleanup_(secret_unrefp) struct secret *s = secret_new(lengths[i] ? bytes : NULL, lengths[i]);
        assert_int_equal(secret_len(s), lengths[i]);
        assert_int_equal(strlen(secret_reveal(s)), lengths[i]);
    }
}

static void it_lives_until_the_last_reference(void **state)
{
    (void)state;

    struct secret *s = secret_new("token", 5), *other = secret_ref(s);
    assert_ptr_equal(s, other);
    assert_null(secret_unref(s));
    assert_string_equal(secret_reveal(other), "token");
    assert_null(secret_unref(other));
    assert_null(secret_unref(NULL));
    assert_null(secret_ref(NULL));
}

static void *take_and_give_back(void *arg)
{
    for (int i = 0; i < 20000; i++)
        (void)secret_unref(secret_ref(arg));
    (void)secret_unref(arg);
    return NULL;
}

static void references_are_counted_across_threads(void **state)
{
    pthread_t threads[4];
    (void)state;

    struct secret *s = secret_new("token", 5);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_back, secret_ref(s)), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_string_equal(secret_reveal(s), "token");
    assert_null(secret_unref(s));
}

static void digests_match_the_known_answers(void **state)
{
    static const struct {
        const char *data, *hex;
    } table[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char hex[DIGEST_HEX_SIZE];
        digest_sha256_hex(table[i].data, strlen(table[i].data), hex);
        assert_string_equal(hex, table[i].hex);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_keeps_a_copy_of_its_bytes),
        cmocka_unit_test(any_length_will_do),
        cmocka_unit_test(it_lives_until_the_last_reference),
        cmocka_unit_test(references_are_counted_across_threads),
        cmocka_unit_test(digests_match_the_known_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
