/* Reading an answer, and the one entry point through which every client is called. Header lines were cleaned when they
 * were received (receive.c): each is "name: value\n" without control bytes. */
#include "http/http.h"

#include "base/str.h"
#include "base/timefmt.h"
#include "http/limits.h"

#include <string.h>

#define MAX_RETRY_AFTER_MS 3600000

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){
        .headers = BUF_INIT(HTTP_MAX_HEADER_BYTES),
        .body = BUF_INIT(HTTP_DEFAULT_MAX_BODY),
    };
}

void http_response_done(struct http_response *response)
{
    buf_done(&response->headers);
    buf_done(&response->body);
    response->status = 0;
}

static bool is_named(const char *line, const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (line[i] == '\0' || ascii_tolower(line[i]) != ascii_tolower(name[i]))
            return false;
    return line[len] == ':' && line[len + 1] == ' ';
}

const char *http_response_header_ref(const struct http_response *response, const char *name, size_t *ret_len)
{
    size_t len = strlen(name);
    const char *line = buf_str(&response->headers);

    for (const char *end; (end = strchr(line, '\n')); line = end + 1)
        if (is_named(line, name, len)) {
            const char *value = line + len + strlen(": ");
            *ret_len = (size_t)(end - value);
            return value;
        }
    return NULL;
}

bool http_response_header(const struct http_response *response, const char *name, char *ret, size_t size)
{
    size_t len;
    const char *value = http_response_header_ref(response, name, &len);

    if (!value || len >= size)
        return false;
    memcpy(ret, value, len);
    ret[len] = '\0';
    return true;
}

int64_t http_response_retry_after_ms(const struct http_response *response, int64_t wall_ms)
{
    char value[64];
    int64_t seconds, at_ms, ms;

    if (!http_response_header(response, "retry-after", value, sizeof(value)))
        return -1;
    if (str_to_i64(value, 0, INT64_MAX, &seconds))
        ms = seconds > MAX_RETRY_AFTER_MS / 1000 ? MAX_RETRY_AFTER_MS : seconds * 1000;
    else if (time_parse_http_date(value, &at_ms))
        ms = at_ms - wall_ms;
    else
        return -1;
    if (ms < 0)
        return 0;
    return ms > MAX_RETRY_AFTER_MS ? MAX_RETRY_AFTER_MS : ms;
}

int http_do(
    struct http_client *client, const struct http_request *request, struct http_response *response, struct err *err)
{
    http_response_init(response);
    return client->perform(client, request, response, err);
}
