/* A client that answers from a script and remembers what it was sent. Any number of threads; a call beyond the script's
 * end is an error, so a test sees every request that should not have been made. */
#pragma once

#include "base/mem.h"
#include "http/http.h"

#include <pthread.h>
#include <string.h>

#define FAKE_MAX 32

struct fake_answer {
    int status;
    const char *headers; /* lines "name: value\n" */
    const char *body;
    enum err_kind fails; /* instead of an answer */
    bool maybe_sent;
};

struct fake_request {
    char *method;
    char *url;
    char *body;    /* NULL: none */
    char *headers; /* lines "name: value\n" as given */
    bool once;
    bool proxied;
    size_t max_body;
};

struct fake_http {
    struct http_client client; /* first: perform() finds the rest through it */
    pthread_mutex_t lock;
    const struct fake_answer *answers;
    size_t n_answers;
    struct fake_request seen[FAKE_MAX];
    size_t n_seen;
};

static void fake_remember(struct fake_http *fake, const struct http_request *request)
{
    struct buf headers = BUF_INIT(65536);
    struct fake_request *seen = &fake->seen[fake->n_seen];

    for (const struct http_header *h = request->headers; h < request->headers + HTTP_MAX_REQUEST_HEADERS && h->name;
         h++)
        buf_printf(&headers, "%s: %s\n", h->name, h->value);
    seen->method = xstrdup(request->method);
    seen->url = xstrdup(request->url);
    seen->body = request->body ? xstrndup(request->body, request->body_len) : NULL;
    seen->headers = buf_take(&headers);
    seen->once = request->once;
    seen->proxied = request->proxy != NULL;
    seen->max_body = request->max_body;
}

static int fake_perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    struct fake_http *fake = (struct fake_http *)self;
    const struct fake_answer *answer = NULL;

    (void)pthread_mutex_lock(&fake->lock);
    if (fake->n_seen < fake->n_answers && fake->n_seen < FAKE_MAX) {
        answer = &fake->answers[fake->n_seen];
        fake_remember(fake, request);
    }
    fake->n_seen++;
    (void)pthread_mutex_unlock(&fake->lock);
    if (!answer)
        return err_set(err, ERR_INTERNAL, "a request beyond the script: %s", request->url);
    if (answer->fails) {
        (void)err_set(err, answer->fails, "no answer");
        err->maybe_sent = answer->maybe_sent;
        return -1;
    }
    response->status = answer->status;
    buf_puts(&response->headers, answer->headers ? answer->headers : "");
    buf_puts(&response->body, answer->body ? answer->body : "");
    return 0;
}

static _unused_ struct fake_http *fake_new(const struct fake_answer *answers, size_t n)
{
    struct fake_http *fake = xcalloc(1, sizeof(*fake));

    fake->client.perform = fake_perform;
    fake->answers = answers;
    fake->n_answers = n;
    (void)pthread_mutex_init(&fake->lock, NULL);
    return fake;
}

static _unused_ struct fake_http *fake_free(struct fake_http *fake)
{
    for (size_t i = 0; fake && i < FAKE_MAX; i++) {
        free(fake->seen[i].method);
        free(fake->seen[i].url);
        free(fake->seen[i].body);
        free(fake->seen[i].headers);
    }
    if (fake)
        (void)pthread_mutex_destroy(&fake->lock);
    free(fake);
    return NULL;
}
DEFINE_CLEANUP(struct fake_http *, fake_free)
