/* Certificates in every form that people have them in, and assertions that OpenSSL verifies. */
#include "unit.h"

#include "azure/certificate.h"
#include "base/clock.h"
#include "base/str.h"
#include "folder.h"
#include "signer.h"
#include "json/json.h"

#include <openssl/ec.h>

#define CANARY "c4n@ry-passw0rd"
#define CLIENT "11112222-bbbb-3333-cccc-4444dddd5555"
#define AUDIENCE "https://login.microsoftonline.com/t/oauth2/v2.0/token"

static EVP_PKEY *key, *other_key; /* making them takes a while */

static int make_keys(void **state)
{
    (void)state;
    key = EVP_RSA_gen(2048);
    other_key = EVP_RSA_gen(2048);
    return key && other_key ? 0 : -1;
}

static int drop_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    EVP_PKEY_free(other_key);
    return 0;
}

static struct signer signer_of(EVP_PKEY *k, long from_s, long to_s)
{
    (void)EVP_PKEY_up_ref(k);
    return signer_new(k, from_s, to_s);
}

/* --- reading --- */

struct form {
    const char *name;
    const char *password;
    void (*write)(struct buf *b, const struct signer *ours, const struct signer *other);
    const char *says; /* NULL: it is read */
};

static void key_first(struct buf *b, const struct signer *ours, const struct signer *other _unused_)
{
    add_key(b, ours, NULL);
    add_certificate(b, ours);
}

static void chain_then_key(struct buf *b, const struct signer *ours, const struct signer *other)
{
    buf_puts(b, "subject=/CN=x\n");
    add_certificate(b, other);
    add_certificate(b, ours);
    add_key(b, ours, NULL);
}

static void encrypted(struct buf *b, const struct signer *ours, const struct signer *other _unused_)
{
    add_certificate(b, ours);
    add_key(b, ours, CANARY);
}

static void pkcs12(struct buf *b, const struct signer *ours, const struct signer *other _unused_)
{
    add_pkcs12(b, ours, CANARY);
}

static void pkcs12_open(struct buf *b, const struct signer *ours, const struct signer *other _unused_)
{
    add_pkcs12(b, ours, "");
}

static void certificate_only(struct buf *b, const struct signer *ours, const struct signer *other _unused_)
{
    add_certificate(b, ours);
}

static void key_only(struct buf *b, const struct signer *ours, const struct signer *other _unused_)
{
    add_key(b, ours, NULL);
}

static void mismatch(struct buf *b, const struct signer *ours, const struct signer *other)
{
    add_certificate(b, other);
    add_key(b, ours, NULL);
}

static void broken_key(struct buf *b, const struct signer *ours, const struct signer *other _unused_)
{
    add_certificate(b, ours);
    buf_puts(b, "-----BEGIN PRIVATE KEY-----\n" CANARY "\n-----END PRIVATE KEY-----\n");
}

static void nonsense(struct buf *b, const struct signer *ours _unused_, const struct signer *other _unused_)
{
    buf_puts(b, CANARY);
}

static void nothing(struct buf *b _unused_, const struct signer *ours _unused_, const struct signer *other _unused_)
{
}

static void a_file_is_read_or_says_what_it_lacks(void **state)
{
    static const struct form forms[] = {
        {"key.pem", NULL, key_first, NULL},
        {"chain.pem", NULL, chain_then_key, NULL},
        {"spare-password.pem", CANARY, key_first, NULL},
        {"encrypted.pem", CANARY, encrypted, NULL},
        {"store.pfx", CANARY, pkcs12, NULL},
        {"open.pfx", NULL, pkcs12_open, NULL},
        {"no-password.pem", NULL, encrypted, "is encrypted: set AZURE_CLIENT_CERTIFICATE_PASSWORD"},
        {"wrong-password.pem", "wrong", encrypted, "AZURE_CLIENT_CERTIFICATE_PASSWORD does not open"},
        {"no-password.pfx", NULL, pkcs12, "AZURE_CLIENT_CERTIFICATE_PASSWORD is not set"},
        {"wrong-password.pfx", "wrong", pkcs12, "AZURE_CLIENT_CERTIFICATE_PASSWORD does not open the PKCS#12"},
        {"certificate.pem", NULL, certificate_only, "holds no private key"},
        {"key-only.pem", NULL, key_only, "a private key but no certificate"},
        {"mismatch.pem", NULL, mismatch, "belongs to no certificate in it"},
        {"broken.pem", NULL, broken_key, "holds no private key that can be read"},
        {"nonsense.pem", NULL, nonsense, "is neither a PEM nor a PKCS#12 file"},
        {"empty.pem", NULL, nothing, "is neither a PEM nor a PKCS#12 file"},
    };
    _cleanup_(folder_freep) char *dir = folder_new();
    _cleanup_(signer_done) struct signer ours = signer_of(key, -60, 3600), other = signer_of(other_key, -60, 3600);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const struct form *form = &forms[i];
        _cleanup_(buf_done) struct buf b = BUF_INIT(65536);
        form->write(&b, &ours, &other);
        _cleanup_(freep) char *path = folder_write(dir, form->name, buf_str(&b), b.len, 0);
        _cleanup_(secret_unrefp) struct secret *password =
            form->password ? secret_new(form->password, strlen(form->password)) : NULL;
        _cleanup_(certificate_freep) struct certificate *certificate = NULL;
        struct err err = ERR_INIT;
        int r = certificate_load(&certificate, path, password, clock_wall_ms(), &err);
        if (r != (form->says ? -1 : 0) || (form->says && !strstr(err.msg, form->says)))
            fail_msg("%s: %d \"%s\"", form->name, r, err.msg);
        if (form->says) {
            assert_int_equal(err.kind, ERR_UNAUTHORIZED);
            assert_non_null(strstr(err.msg, path));
            assert_null(strstr(err.msg, CANARY));
            assert_null(certificate);
        }
    }
}

static void a_file_that_is_not_there_is_no_answer_of_azure(void **state)
{
    struct certificate *certificate = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(certificate_load(&certificate, "/nowhere/x.pem", NULL, clock_wall_ms(), &err), -1);
    assert_int_equal(err.kind, ERR_UNAUTHORIZED);
    assert_string_equal(err.msg, "cannot read /nowhere/x.pem: No such file or directory");
}

static void what_entra_would_not_take_is_refused_here(void **state)
{
    const struct {
        EVP_PKEY *key;
        long from_s, to_s;
        const char *says;
    } rows[] = {
        {EVP_EC_gen("P-256"), -60, 3600, "is no RSA key"},
        {EVP_RSA_gen(1024), -60, 3600, "shorter than 2048 bits"},
        {EVP_RSA_gen(2048), -7200, -3600, "has expired"},
        {EVP_RSA_gen(2048), 3600, 7200, "is not valid yet"},
    };
    _cleanup_(folder_freep) char *dir = folder_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        _cleanup_(signer_done) struct signer s = signer_new(rows[i].key, rows[i].from_s, rows[i].to_s);
        _cleanup_(buf_done) struct buf b = BUF_INIT(65536);
        struct certificate *certificate = NULL;
        struct err err = ERR_INIT;
        key_first(&b, &s, NULL);
        _cleanup_(freep) char *path = folder_write(dir, "x.pem", buf_str(&b), b.len, 0);
        assert_int_equal(certificate_load(&certificate, path, NULL, clock_wall_ms(), &err), -1);
        if (!strstr(err.msg, rows[i].says))
            fail_msg("row %zu: \"%s\"", i, err.msg);
    }
}

/* --- assertions --- */

static struct certificate *load(const char *dir, const struct signer *s)
{
    _cleanup_(buf_done) struct buf b = BUF_INIT(65536);
    struct certificate *certificate = NULL;
    struct err err = ERR_INIT;

    key_first(&b, s, NULL);
    _cleanup_(freep) char *path = folder_write(dir, "x.pem", buf_str(&b), b.len, 0);
    if (certificate_load(&certificate, path, NULL, clock_wall_ms(), &err) < 0)
        fail_msg("%s", err.msg);
    return certificate;
}

static cJSON *part(const char *from, size_t len)
{
    unsigned char text[4096];
    size_t n = decode_base64url(from, len, text, sizeof(text));
    cJSON *tree = NULL;
    struct err err = ERR_INIT;

    if (json_parse(&tree, (const char *)text, n, &err) < 0)
        fail_msg("%s", err.msg);
    return tree;
}

static bool verifies(const struct signer *s, bool pss, const char *jwt, size_t signed_len)
{
    unsigned char signature[512];
    size_t n = decode_base64url(jwt + signed_len + 1, strlen(jwt + signed_len + 1), signature, sizeof(signature));
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;

    bool ok = EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, s->key) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) > 0 &&
              (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) > 0) &&
              EVP_DigestVerify(md, signature, n, (const unsigned char *)jwt, signed_len) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

static void assert_thumbprint(const cJSON *header, const char *member, const EVP_MD *md, const X509 *x509)
{
    unsigned char expected[EVP_MAX_MD_SIZE], got[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    const cJSON *value = json_member(header, member);

    (void)X509_digest(x509, md, expected, &n);
    assert_true(cJSON_IsString(value));
    assert_int_equal(decode_base64url(value->valuestring, strlen(value->valuestring), got, sizeof(got)), n);
    assert_memory_equal(got, expected, n);
    assert_null(strpbrk(value->valuestring, "+/="));
}

static void an_assertion_verifies_and_says_who_to_whom_and_for_how_long(void **state)
{
    static const struct {
        enum assertion_algorithm algorithm;
        const char *name;
    } rows[] = {{ASSERTION_PS256, "PS256"}, {ASSERTION_RS256, "RS256"}};
    const int64_t now_ms = 1795500000123;
    _cleanup_(folder_freep) char *dir = folder_new();
    _cleanup_(signer_done) struct signer s = signer_of(key, -60, 3600);
    _cleanup_(certificate_freep) struct certificate *certificate = load(dir, &s);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool pss = rows[i].algorithm == ASSERTION_PS256;
        _cleanup_(secret_unrefp) struct secret *assertion = NULL;
        struct err err = ERR_INIT;
        int64_t n = 0;
        assert_int_equal(
            certificate_assertion(certificate, rows[i].algorithm, AUDIENCE, CLIENT, now_ms, &assertion, &err), 0);
        const char *jwt = secret_reveal(assertion), *dot = strchr(jwt, '.'), *end = strrchr(jwt, '.');
        assert_null(strpbrk(jwt, "+/=\n"));
        assert_true(verifies(&s, pss, jwt, (size_t)(end - jwt)));
        assert_false(verifies(&s, !pss, jwt, (size_t)(end - jwt)));

        _cleanup_(json_freep) cJSON *header = part(jwt, (size_t)(dot - jwt));
        assert_string_equal(json_string_at(header, "alg"), rows[i].name);
        assert_string_equal(json_string_at(header, "typ"), "JWT");
        assert_thumbprint(header, "x5t#S256", EVP_sha256(), s.x509);
        if (pss)
            assert_null(json_member(header, "x5t"));
        else
            assert_thumbprint(header, "x5t", EVP_sha1(), s.x509);

        _cleanup_(json_freep) cJSON *claims = part(dot + 1, (size_t)(end - dot - 1));
        assert_string_equal(json_string_at(claims, "aud"), AUDIENCE);
        assert_string_equal(json_string_at(claims, "iss"), CLIENT);
        assert_string_equal(json_string_at(claims, "sub"), CLIENT);
        assert_true(str_is_guid(json_string_at(claims, "jti")));
        assert_true(json_int(json_at(claims, "nbf"), false, &n) && n == 1795500000);
        assert_true(json_int(json_at(claims, "iat"), false, &n) && n == 1795500000);
        assert_true(json_int(json_at(claims, "exp"), false, &n) && n == 1795500600);
    }
}

static void no_two_assertions_have_the_same_id(void **state)
{
    _cleanup_(folder_freep) char *dir = folder_new();
    _cleanup_(signer_done) struct signer s = signer_of(key, -60, 3600);
    _cleanup_(certificate_freep) struct certificate *certificate = load(dir, &s);
    _cleanup_(secret_unrefp) struct secret *a = NULL, *b = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(certificate_assertion(certificate, ASSERTION_RS256, AUDIENCE, CLIENT, 1000, &a, &err), 0);
    assert_int_equal(certificate_assertion(certificate, ASSERTION_RS256, AUDIENCE, CLIENT, 1000, &b, &err), 0);
    assert_string_not_equal(secret_reveal(a), secret_reveal(b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_or_says_what_it_lacks),
        cmocka_unit_test(a_file_that_is_not_there_is_no_answer_of_azure),
        cmocka_unit_test(what_entra_would_not_take_is_refused_here),
        cmocka_unit_test(an_assertion_verifies_and_says_who_to_whom_and_for_how_long),
        cmocka_unit_test(no_two_assertions_have_the_same_id),
    };

    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
