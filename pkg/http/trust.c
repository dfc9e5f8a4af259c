/* The system's certificate authorities. Where they are is what libcurl was built with: a bundle, a folder that OpenSSL
 * searches by itself, or both. It decides about no peer: OpenSSL does, with this store, because libcurl has it verify
 * every connection (transfer.c). Without any authority nobody is trusted. */
#include "http/trust.h"

#include "base/clock.h"
#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#define READ_AGAIN_MS (24LL * 3600 * 1000)

struct http_trust {
    X509_STORE *store; /* NULL: not read yet. Connections hold references of their own */
    int64_t read_ms;
};

struct http_trust *http_trust_new(void)
{
    return xcalloc(1, sizeof(struct http_trust));
}

struct http_trust *http_trust_free(struct http_trust *trust)
{
    if (!trust)
        return NULL;
    X509_STORE_free(trust->store);
    free(trust);
    return NULL;
}

static X509_STORE *read_store(void)
{
    const curl_version_info_data *built = curl_version_info(CURLVERSION_NOW);
    X509_STORE *store = X509_STORE_new();

    if (!store)
        return NULL;
    /* What is not there is not trusted; a connection then fails with OpenSSL's own words. */
    if (built->cainfo)
        (void)X509_STORE_load_file(store, built->cainfo);
    if (built->capath)
        (void)X509_STORE_load_path(store, built->capath);
    /* As libcurl does it: an intermediate authority that was installed as trusted ends a chain. */
    (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    ERR_clear_error();
    return store;
}

CURLcode http_trust_apply(struct http_trust *trust, void *ssl_ctx)
{
    int64_t now_ms = clock_mono_ms();

    if (!trust->store || now_ms - trust->read_ms >= READ_AGAIN_MS) {
        X509_STORE_free(trust->store);
        trust->store = read_store();
        trust->read_ms = now_ms;
    }
    if (!trust->store)
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set1_cert_store(ssl_ctx, trust->store);
    return CURLE_OK;
}
