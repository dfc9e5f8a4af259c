/* Paths, headers and error envelopes, as recorded.
 *
 * Two parties answer under one name: ARM's front door, whose errors are {"error":{…}}, and the resource provider, whose
 * errors have code and message at the top. Their headers differ too. */
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "fakes/fake_azure.h"

#include <openssl/evp.h>
#include <string.h>

bool azure_path_is(const struct azure_request *r, const char *pattern)
{
    size_t i = 0;

    for (; *pattern; i++) {
        size_t n = strcspn(pattern, "/");
        if (i == r->n_segments)
            return false;
        const char *segment = r->segments[i];
        bool any = n == 1 && pattern[0] == '*';
        if (!any && (strlen(segment) != n || !str_has_prefix_nocase(pattern, segment)))
            return false;
        pattern += n + (pattern[n] == '/');
    }
    return i == r->n_segments;
}

/* The caller's own ids come back; without one, a correlation id is made up. */
static void echo_ids(struct azure_request *r)
{
    const char *correlation = httpd_request_header(r->exchange, "x-ms-correlation-request-id");
    const char *client = httpd_request_header(r->exchange, "x-ms-client-request-id");
    const char *wanted = httpd_request_header(r->exchange, "x-ms-return-client-request-id");
    char now[TIME_TEXT_SIZE];

    azure_model_guid(r->azure->model, NULL, r->request_id);
    fake_reply_header(r->reply, "x-ms-request-id", "%s", r->request_id);
    fake_reply_header(
        r->reply, "x-ms-correlation-request-id", "%s", str_empty(correlation) ? r->request_id : correlation);
    time_format_rfc3339(r->now_ms, now);
    fake_reply_header(r->reply, "x-ms-routing-request-id", "WESTUS:%.4s%.2s%.2sT%.2s%.2s%.2sZ:%s", now, now + 5,
        now + 8, now + 11, now + 14, now + 17, r->request_id);
    if (client && str_eq_nocase(wanted, "true"))
        fake_reply_header(r->reply, "x-ms-client-request-id", "%s", client);
}

void azure_reply_begin(struct azure_request *r)
{
    fake_reply_header(r->reply, "content-type", "application/json");
    fake_reply_header(r->reply, "cache-control", "no-store, no-cache");
    fake_reply_header(r->reply, "pragma", "no-cache");
    fake_reply_header(r->reply, "strict-transport-security", "max-age=31536000; includeSubDomains");
    fake_reply_header(r->reply, "x-content-type-options", "nosniff");
    fake_reply_header(r->reply, "x-cache", "CONFIG_NOCACHE");
    fake_reply_header(r->reply, "x-ms-gatewayversion", "version=2.14.0");
    echo_ids(r);
}

static void put_code_and_message(struct buf *b, const char *code, const char *message)
{
    buf_puts(b, "{\"code\":");
    buf_put_json_string(b, code, strlen(code));
    buf_puts(b, ",\"message\":");
    buf_put_json_string(b, message, strlen(message));
    buf_putc(b, '}');
}

void azure_front_door_error(struct azure_request *r, int status, const char *code, const char *format, ...)
{
    _cleanup_(buf_done) struct buf message = BUF_INIT(65536);
    va_list args;

    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);
    r->reply->status = status;
    fake_reply_header(r->reply, "content-type", "application/json; charset=utf-8");
    fake_reply_header(r->reply, "cache-control", "no-cache");
    fake_reply_header(r->reply, "expires", "-1");
    fake_reply_header(r->reply, "x-ms-failure-cause", "gateway");
    buf_clear(&r->reply->body);
    buf_puts(&r->reply->body, "{\"error\":");
    put_code_and_message(&r->reply->body, code, buf_str(&message));
    buf_putc(&r->reply->body, '}');
}

void azure_put_message(struct azure_request *r, struct buf *b, const char *message)
{
    _cleanup_(freep) char *full =
        strstr(message, "ActivityId:")
            ? xstrdup(message)
            : xasprintf("%s\r\nActivityId: %s, Microsoft.Azure.Documents.Common/2.14.0", message, r->request_id);

    buf_puts(b, full);
}

void azure_provider_error(struct azure_request *r, int status, const char *code, const char *message)
{
    _cleanup_(buf_done) struct buf full = BUF_INIT(65536);

    azure_put_message(r, &full, message);
    r->reply->status = status;
    buf_clear(&r->reply->body);
    put_code_and_message(&r->reply->body, code, buf_str(&full));
}

void azure_put_base64url(struct buf *b, const void *data, size_t len)
{
    _cleanup_(freep) char *text = xmalloc(4 * (len / 3 + 1) + 1);
    int n = EVP_EncodeBlock((unsigned char *)text, data, (int)len);

    for (int i = 0; i < n && text[i] != '='; i++)
        buf_putc(b, text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
}

char *azure_base64url_decode(const char *text, size_t len)
{
    size_t padded = (len + 3) / 4 * 4;
    _cleanup_(freep) char *copy = xmalloc(padded + 1), *out = xmalloc(padded + 1);

    for (size_t i = 0; i < padded; i++)
        copy[i] = i >= len ? '=' : text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    int n = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)copy, (int)padded);
    if (n < 0 || (size_t)n < padded - len)
        return NULL;
    out[(size_t)n - (padded - len)] = '\0';
    return TAKE_PTR(out);
}
