/* Adds "Authorization: Bearer TOKEN", and asks for another token once when the peer refuses the first.
 *
 * A token leaves this process over TLS only; plain http is accepted to a loopback address, without a proxy, because
 * those bytes stay on this machine. The header's text is wiped after the call. */
#include "http/layer.h"

#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>

struct auth {
    struct http_client client; /* first */
    struct http_client *next;
    struct http_token_source source;
};

static bool is_loopback(const struct http_url *url)
{
    struct in_addr v4;

    return str_eq(url->host, "localhost") || str_eq(url->host, "::1") ||
           (inet_pton(AF_INET, url->host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static int check_target(const struct http_request *request, struct err *err)
{
    struct http_url url;

    if (!request->url)
        return err_set(err, ERR_INVALID, "the request has no URL");
    if (http_url_parse(request->url, &url, err) < 0)
        return -1;
    if (str_eq(url.scheme, "https") || (is_loopback(&url) && !request->proxy))
        return 0;
    return err_set(err, ERR_INVALID, "a token is sent over https only, and the URL for %s is plain http", url.host);
}

static int add_header(struct http_request *request, const struct http_header *header, struct err *err)
{
    size_t n = 0;

    while (n < HTTP_MAX_REQUEST_HEADERS && request->headers[n].name)
        n++;
    if (n == HTTP_MAX_REQUEST_HEADERS)
        return err_set(err, ERR_INVALID, "the request has no room for an Authorization header");
    request->headers[n] = *header;
    return 0;
}

static int send_with(struct auth *auth, const struct http_request *request, const struct secret *token,
    struct http_response *response, struct err *err)
{
    size_t size = strlen("Bearer ") + secret_len(token) + 1;
    _cleanup_(freep) char *value = xmalloc(size);
    struct http_request with = *request;

    memcpy(value, "Bearer ", strlen("Bearer "));
    memcpy(value + strlen("Bearer "), secret_reveal(token), secret_len(token) + 1);
    int r = add_header(&with, &(struct http_header){"Authorization", value}, err);
    if (r == 0)
        r = http_do(auth->next, &with, response, err);
    secret_wipe(value, size);
    if (r == 0 && response->status >= 300) /* its words become those of an error */
        secret_strike(token, response->body.data, response->body.len);
    return r;
}

static int get_token(struct auth *auth, const struct http_request *request, struct secret **ret, struct err *err)
{
    if (auth->source.token(auth->source.ctx, ret, request->cancel, err) == 0)
        return 0;
    if (err)
        err->maybe_sent = false; /* said of the request for a token; ours was not sent, or was refused */
    return -1;
}

static bool same(const struct secret *a, const struct secret *b)
{
    return secret_len(a) == secret_len(b) && memcmp(secret_reveal(a), secret_reveal(b), secret_len(a)) == 0;
}

static int perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct auth *auth = (struct auth *)self;
    _cleanup_(secret_unrefp) struct secret *token = NULL, *other = NULL;

    if (check_target(request, err) < 0 || get_token(auth, request, &token, err) < 0)
        return -1;
    int r = send_with(auth, request, token, response, err);
    if (r < 0 || response->status != 401)
        return r;
    if (auth->source.rejected)
        auth->source.rejected(auth->source.ctx, token);
    if (get_token(auth, request, &other, err) < 0)
        return -1;
    if (same(token, other))
        return 0; /* the 401 is the answer */
    http_response_done(response);
    return send_with(auth, request, other, response, err);
}

struct http_client *http_auth_new(struct http_client *next, const struct http_token_source *source)
{
    struct auth *auth = xcalloc(1, sizeof(*auth));

    auth->client.perform = perform;
    auth->next = next;
    auth->source = *source;
    return &auth->client;
}

struct http_client *http_auth_free(struct http_client *layer)
{
    free(layer);
    return NULL;
}
