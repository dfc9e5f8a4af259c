/* Client assertions: what an application signs with its certificate instead of sending a secret.
 *
 * With --client-certificate an assertion that the application itself has issued must be signed with that certificate's
 * key, PS256 or RS256, and name it by thumbprint. Without, signatures are not looked at. Assertions of other issuers
 * (workload identity) are never verified: the fake knows no keys of theirs. In all cases the claims must fit. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#define SIGNATURE_MAX 1024
#define SKEW_S 300

/* A JWT taken apart; nothing verified. */
struct jwt {
    cJSON *header, *claims;
    const char *text;
    size_t signed_len; /* header, dot, claims */
    const char *signature;
};

static void jwt_done(struct jwt *jwt)
{
    (void)json_free(jwt->header);
    (void)json_free(jwt->claims);
}

static cJSON *parse_part(const char *from, const char *to)
{
    _cleanup_(freep) char *text = azure_base64url_decode(from, (size_t)(to - from));
    struct err ignored = ERR_INIT;
    cJSON *tree = NULL;

    if (!text || json_parse(&tree, text, strlen(text), &ignored) < 0)
        return NULL;
    return tree;
}

static void jwt_parse(struct jwt *ret, const char *text)
{
    const char *first = strchr(text, '.'), *second = first ? strchr(first + 1, '.') : NULL;

    *ret = (struct jwt){.text = text};
    if (!second)
        return;
    ret->header = parse_part(text, first);
    ret->claims = parse_part(first + 1, second);
    ret->signed_len = (size_t)(second - text);
    ret->signature = second + 1;
}

/* --- the signature --- */

static bool names_certificate(const struct fake_azure *azure, const cJSON *header, const char *member, const EVP_MD *md)
{
    _cleanup_(buf_done) struct buf text = BUF_INIT(128);
    const cJSON *thumbprint = json_member(header, member);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    (void)X509_digest(azure->client_certificate, md, digest, &n);
    azure_put_base64url(&text, digest, n);
    return cJSON_IsString(thumbprint) && str_eq(thumbprint->valuestring, buf_str(&text));
}

/* The decoded length is lost in a string with NULs, so it is that of the text. */
static size_t decode_signature(const char *text, unsigned char ret[static SIGNATURE_MAX])
{
    size_t len = strlen(text), n = len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0);
    _cleanup_(freep) char *bytes = n <= SIGNATURE_MAX ? azure_base64url_decode(text, len) : NULL;

    if (!bytes)
        return 0;
    memcpy(ret, bytes, n);
    return n;
}

static bool signature_fits(const struct fake_azure *azure, const struct jwt *jwt, bool pss)
{
    EVP_PKEY *key = X509_get0_pubkey(azure->client_certificate);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    unsigned char signature[SIGNATURE_MAX];
    size_t n = decode_signature(jwt->signature, signature);

    bool ok = n > 0 && EVP_DigestVerifyInit_ex(md, &ctx, "SHA256", NULL, NULL, key, NULL) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) > 0 &&
              (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0) &&
              EVP_DigestVerify(md, signature, n, (const unsigned char *)jwt->text, jwt->signed_len) == 1;
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return ok;
}

static bool check_signature(struct azure_request *r, const struct jwt *jwt)
{
    const char *algorithm = json_string_at(jwt->header, "alg");
    bool pss = str_eq(algorithm, "PS256");

    if ((!pss && !str_eq(algorithm, "RS256")) || (pss && r->azure->refuse_ps256)) {
        _cleanup_(freep) char *text = xasprintf("Invalid JWT token. '%s' is not a supported signature algorithm. "
                                                "Supported signing algorithms are: 'RS256, RS384, RS512'.",
            algorithm ? algorithm : "");
        return azure_refuse_token(r, 400, "invalid_request", 5002738, text);
    }
    if (!names_certificate(r->azure, jwt->header, "x5t#S256", EVP_sha256()) &&
        (pss || !names_certificate(r->azure, jwt->header, "x5t", EVP_sha1())))
        return azure_refuse_token(r, 401, "invalid_client", 700027,
            "The certificate with identifier used to sign the client assertion is not registered on application. "
            "[Reason - The key was not found.]");
    if (!signature_fits(r->azure, jwt, pss))
        return azure_refuse_token(
            r, 401, "invalid_client", 700027, "Client assertion contains an invalid signature. (text of fake-azure)");
    return true;
}

/* --- the claims --- */

static bool check_times(struct azure_request *r, const struct jwt *jwt)
{
    int64_t end_s, start_s, now_s = r->now_ms / 1000;
    bool has_end = json_int(json_at(jwt->claims, "exp"), false, &end_s);
    bool has_start = json_int(json_at(jwt->claims, "nbf"), false, &start_s);

    if ((has_end && end_s * 1000 < r->now_ms) || (has_start && start_s > now_s + SKEW_S))
        return azure_refuse_token(
            r, 401, "invalid_client", 700024, "Client assertion is not within its valid time range.");
    return true;
}

/* Issued by the application itself: signed with its certificate, for this endpoint and nothing else. */
static bool check_own(struct azure_request *r, const struct jwt *jwt, const char *client_id)
{
    _cleanup_(freep) char *endpoint = xasprintf("%s%s", r->azure->base_url, r->http->path);
    int64_t end_s;

    if (!str_eq(json_string_at(jwt->claims, "aud"), endpoint))
        return azure_refuse_token(r, 401, "invalid_client", 700023,
            "Client assertion audience claim does not match Realm issuer (text of fake-azure).");
    if (!str_eq_nocase(json_string_at(jwt->claims, "sub"), client_id) ||
        str_empty(json_string_at(jwt->claims, "jti")) || !json_int(json_at(jwt->claims, "exp"), false, &end_s))
        return azure_refuse_token(r, 401, "invalid_client", 700021,
            "Client assertion application identifier doesn't match 'client_id' parameter, or lacks jti or exp (text of "
            "fake-azure).");
    return !r->azure->client_certificate || check_signature(r, jwt);
}

bool azure_check_assertion(struct azure_request *r, const char *type, const char *assertion, const char *client_id)
{
    _cleanup_(jwt_done) struct jwt jwt = {0};

    jwt_parse(&jwt, assertion);
    if (!str_eq(type, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
        return azure_refuse_token(r, 400, "invalid_request", 900144,
            "The request body must contain the following parameter: 'client_assertion_type'.");
    if (!check_times(r, &jwt))
        return false;
    if (str_eq_nocase(json_string_at(jwt.claims, "iss"), client_id))
        return check_own(r, &jwt, client_id);
    return true;
}

int azure_load_client_certificate(struct fake_azure *azure, const char *path, struct err *err)
{
    _cleanup_(buf_done) struct buf pem = BUF_INIT(1 << 20);

    if (file_read(path, &pem, err) < 0)
        return err_wrap(err, "--client-certificate");
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    azure->client_certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    (void)BIO_free(bio);
    if (!azure->client_certificate)
        return err_set(err, ERR_INVALID, "--client-certificate: %s holds no certificate in PEM", path);
    return 0;
}
