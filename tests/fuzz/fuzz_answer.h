/* A client that answers with the input: the first line is the status, the rest the body. Nothing is sent anywhere. */
#pragma once

#include "base/str.h"
#include "http/http.h"

struct fuzz_answer {
    struct http_client client; /* first: perform() finds the rest through it */
    int status;
    const char *body;
    size_t len;
};

static inline int fuzz_answer_perform(
    struct http_client *self, const struct http_request *request, struct http_response *response, struct err *err)
{
    const struct fuzz_answer *answer = (const struct fuzz_answer *)self;

    (void)request;
    (void)err;
    response->status = answer->status;
    buf_add(&response->body, answer->body, answer->len);
    return 0;
}

static inline struct fuzz_answer fuzz_answer_from(const uint8_t *data, size_t size)
{
    struct fuzz_lines lines = {(const char *)data, size};
    _cleanup_(freep) char *first = fuzz_line(&lines);
    int64_t status = 200;

    (void)str_to_i64(first, 100, 599, &status); /* stays 200 */
    return (struct fuzz_answer){{fuzz_answer_perform}, (int)status, lines.at, lines.left};
}
