/* The authorization header of the gateway, which is not like anybody else's: type, version and signature as one string
 * that is percent-encoded as a whole.
 *
 * Format: Microsoft, "Access control in the Azure Cosmos DB SQL API" (REST). Verb, type and date are signed in lower
 * case, the link as it is. Buffers that held a key, a token or a signature are wiped. */
#include "azure/gateway_private.h"

#include "base/fatal.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define KEY_TEXT_MAX ((size_t)1024)
#define DAY_MS 86400000LL

void gateway_date(int64_t wall_ms, char ret[static GATEWAY_DATE_SIZE])
{
    static const char weekdays[] = "ThuFriSatSunMonTueWed", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t days = wall_ms / DAY_MS, second = wall_ms % DAY_MS / 1000, year = 0;
    int month = 1, day = 1;

    time_civil_from_days(days, &year, &month, &day);
    (void)snprintf(ret, GATEWAY_DATE_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", weekdays + days % 7 * 3,
        day % 100, months + (month - 1) * 3, (int)(year % 10000), (int)(second / 3600), (int)(second / 60 % 60),
        (int)(second % 60));
}

int gateway_key_decode(const struct secret *base64, struct secret **ret, struct err *err)
{
    size_t len = secret_len(base64);
    const char *text = secret_reveal(base64);
    unsigned char raw[KEY_TEXT_MAX];

    if (len == 0 || len % 4 != 0 || len > KEY_TEXT_MAX)
        return err_set(err, ERR_INVALID, "the account's key is not a key in base64");
    int n = EVP_DecodeBlock(raw, (const unsigned char *)text, (int)len);
    if (n > 0)
        n -= (text[len - 1] == '=') + (text[len - 2] == '=');
    if (n > 0)
        *ret = secret_new((const char *)raw, (size_t)n);
    secret_wipe(raw, sizeof(raw));
    return n > 0 ? 0 : err_set(err, ERR_INVALID, "the account's key is not a key in base64");
}

/* Allocated at its full size at once: a buffer that grows leaves copies behind that nobody wipes. */
static struct buf fixed_buf(size_t size)
{
    struct buf b = BUF_INIT(size);

    b.cap = size + 1;
    b.data = xcalloc(b.cap, 1);
    return b;
}

void gateway_authorization_done(struct buf *authorization)
{
    secret_wipe(authorization->data, authorization->cap);
    buf_done(authorization);
}

static struct buf authorization(const char *type, const char *signature)
{
    struct buf b = fixed_buf(64 + 3 * strlen(signature));

    buf_puts(&b, "type%3D");
    buf_puts(&b, type);
    buf_puts(&b, "%26ver%3D1.0%26sig%3D");
    buf_put_urlencoded(&b, signature);
    return b;
}

struct buf gateway_authorize_token(const struct secret *token)
{
    return authorization("aad", secret_reveal(token));
}

struct buf gateway_authorize_key(const struct secret *raw_key, const struct gateway_signed *what)
{
    _cleanup_(freep) char *head = str_lower(xasprintf("%s\n%s\n", what->verb, what->type));
    _cleanup_(freep) char *date = str_lower(xstrdup(what->date));
    _cleanup_(freep) char *text = xasprintf("%s%s\n%s\n\n", head, what->link, date);
    unsigned char mac[EVP_MAX_MD_SIZE];
    char signature[EVP_MAX_MD_SIZE * 2];
    unsigned int n = 0;

    if (!HMAC(EVP_sha256(), secret_reveal(raw_key), (int)secret_len(raw_key), (const unsigned char *)text, strlen(text),
            mac, &n))
        fatal("OpenSSL cannot make an HMAC", 0); /* out of memory, or broken */
    (void)EVP_EncodeBlock((unsigned char *)signature, mac, (int)n);
    struct buf b = authorization("master", signature);
    secret_wipe(signature, sizeof(signature));
    secret_wipe(mac, sizeof(mac));
    return b;
}
