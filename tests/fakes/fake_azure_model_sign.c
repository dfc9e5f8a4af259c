/* The signed query of operation URLs: …?api-version=V&t=TICKS&c=CERTIFICATE&s=SIGNATURE&h=HASH, about 3.5 KB.
 *
 * Nothing is stored: the same bytes are derived again when the URL comes back, and compared. A client that cuts the
 * URL, sorts or re-encodes its query, or builds it anew is found out. The certificate is only as long as a real one. */
#include "fakes/fake_azure_model.h"

#include "base/digest.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <string.h>

#define CERTIFICATE_BYTES 2304 /* 3072 characters */
#define SIGNATURE_BYTES 256
#define HASH_BYTES 32
#define TICKS_AT_EPOCH 621355968000000000LL /* .NET ticks of 100 ns from year 1 to 1970 */

/* n bytes that follow from seed, as base64url without padding. */
static void put_derived(struct buf *b, const char *seed, size_t n)
{
    unsigned char block[EVP_MAX_MD_SIZE], bytes[CERTIFICATE_BYTES + EVP_MAX_MD_SIZE];
    char text[4 * (CERTIFICATE_BYTES / 3 + 2) + 1];
    unsigned int block_len = 0;
    size_t len = 0;

    for (unsigned i = 0; len < n; i++) {
        _cleanup_(freep) char *input = xasprintf("%u %s", i, seed);
        if (EVP_Digest(input, strlen(input), block, &block_len, EVP_sha256(), NULL) != 1)
            abort();
        memcpy(bytes + len, block, block_len);
        len += block_len;
    }
    int text_len = EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
    for (int i = 0; i < text_len && text[i] != '='; i++)
        buf_putc(b, text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
}

void azure_operation_query(
    const struct azure_model *model, const struct azure_operation *operation, const char *path, struct buf *b)
{
    _cleanup_(freep) char *certificate = xasprintf("certificate %s", model->secret);
    _cleanup_(freep) char *signature = xasprintf("signature %s %s %s", model->secret, operation->id, path);
    _cleanup_(freep) char *hash = xasprintf("hash %s", signature);

    buf_printf(b, "api-version=%s&t=%lld&c=", operation->api_version,
        (long long)(operation->start_ms * 10000 + TICKS_AT_EPOCH));
    put_derived(b, certificate, CERTIFICATE_BYTES);
    buf_puts(b, "&s=");
    put_derived(b, signature, SIGNATURE_BYTES);
    buf_puts(b, "&h=");
    put_derived(b, hash, HASH_BYTES);
}
