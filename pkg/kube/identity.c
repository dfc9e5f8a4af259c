/* Identity: token, certificate or both, decided for each request anew.
 *
 * What an exec plugin gives is known only after it has run, and may change from one run to the next; so this cannot be
 * decided when the client is made. */
#include "kube/identity.h"

#include "base/mem.h"

struct identity {
    struct http_client client;
    struct http_client *next;
    struct http_client *auth; /* over next */
    struct kube_credentials *credentials;
};

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct identity *layer = (struct identity *)self;
    struct http_request identified = *request;
    bool has_token;

    if (kube_credentials_tls(layer->credentials, &identified.tls, &has_token, request->cancel, err) < 0)
        return -1;
    int r = http_do(has_token ? layer->auth : layer->next, &identified, response, err);
    if (r == 0 && response->status == 401 && !has_token)
        kube_credentials_refused(layer->credentials);
    (void)http_tls_unref(identified.tls);
    return r;
}

struct http_client *kube_identity_new(struct http_client *next, struct kube_credentials *credentials)
{
    struct identity *layer = xcalloc(1, sizeof(*layer));
    struct http_token_source tokens = kube_credentials_tokens(credentials);

    layer->client.perform = perform;
    layer->next = next;
    layer->auth = http_auth_new(next, &tokens);
    layer->credentials = credentials;
    return &layer->client;
}

struct http_client *kube_identity_free(struct http_client *client)
{
    struct identity *layer = (struct identity *)client;

    if (!layer)
        return NULL;
    (void)http_auth_free(layer->auth);
    free(layer);
    return NULL;
}
