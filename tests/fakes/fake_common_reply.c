/* An answer in the making: status, headers, body. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_common.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

void fake_reply_done(struct fake_reply *reply)
{
    for (size_t i = 0; i < reply->n; i++)
        free((char *)(uintptr_t)reply->headers[i].value);
    reply->n = 0;
    buf_done(&reply->body);
}

void fake_reply_header(struct fake_reply *reply, const char *name, const char *format, ...)
{
    struct httpd_header *slot = NULL;
    char *value = NULL;
    va_list args;

    for (size_t i = 0; i < reply->n && !slot; i++)
        if (str_eq_nocase(reply->headers[i].name, name))
            slot = &reply->headers[i];
    if (!slot && reply->n == FAKE_HEADERS_MAX)
        return;
    va_start(args, format);
    int printed = vasprintf(&value, format, args);
    va_end(args);
    if (printed < 0)
        return;
    if (!slot)
        slot = &reply->headers[reply->n++];
    free((char *)(uintptr_t)slot->value);
    *slot = (struct httpd_header){.name = name, .value = value};
}

void fake_reply_json(struct fake_reply *reply, int status, const cJSON *tree)
{
    _cleanup_(freep) char *text = json_print(tree);

    reply->status = status;
    buf_clear(&reply->body);
    buf_puts(&reply->body, text);
    fake_reply_header(reply, "content-type", "application/json");
}

void fake_reply_send(const struct fake_reply *reply, struct httpd_exchange *exchange)
{
    if (reply->status_text)
        httpd_status_text(exchange, reply->status_text);
    httpd_reply(exchange, reply->status, reply->headers, reply->n, buf_str(&reply->body), reply->body.len);
}
