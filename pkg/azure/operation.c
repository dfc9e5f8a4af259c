/* The state of an asynchronous operation.
 *
 * What Cosmos DB sends is {"status":"Dequeued"} and nothing else; the rest follows the ARM resource provider contract
 * (async-api-reference.md): three terminal words, any other word means running, an HTTP error is a failure to read the
 * state and not the operation's own. */
#include "azure/arm_private.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define STATE_MAX 128

void arm_operation_done(struct arm_operation *operation)
{
    free(operation->state);
    free(operation->error_code);
    free(operation->error_message);
    *operation = (struct arm_operation){.retry_after_ms = -1};
}

enum arm_outcome arm_outcome_of(const char *state)
{
    static const struct {
        const char *word;
        enum arm_outcome outcome;
    } words[] = {
        {"Succeeded", ARM_SUCCEEDED},
        {"Failed", ARM_FAILED},
        {"Canceled", ARM_CANCELED},
        {"Cancelled", ARM_CANCELED},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(state, words[i].word))
            return words[i].outcome;
    return ARM_RUNNING;
}

static bool has_failed(const char *state)
{
    enum arm_outcome outcome = arm_outcome_of(state);

    return outcome == ARM_FAILED || outcome == ARM_CANCELED;
}

static int decode(struct arm_operation *ret, const struct buf *body, struct err *err)
{
    static const struct json_field fields[] = {
        {"status", JSON_STRING, offsetof(struct arm_operation, state), .required = true, .max = STATE_MAX},
    };
    _cleanup_(json_freep) cJSON *tree = NULL;
    struct arm_error error = {0};

    if (arm_json_parse(&tree, body->data, body->len, err) < 0 ||
        json_decode(tree, fields, ARRAY_LEN(fields), ret, err) < 0)
        return -1;
    if (!has_failed(ret->state))
        return 0;
    (void)arm_error_find(tree, &error);
    ret->error_code = TAKE_PTR(error.code);
    ret->error_message = TAKE_PTR(error.message);
    return 0;
}

/* Public recordings show only successes. Should a failure be told with an HTTP error around it, the body still says
 * so: a resource provider's or front door's own error never has a terminal "status" beside it. */
static bool tells_failure(const struct arm_response *response, struct arm_operation *ret)
{
    struct err ignored = ERR_INIT;

    return response->status >= 400 && decode(ret, &response->http.body, &ignored) == 0 && has_failed(ret->state);
}

static int get(struct arm_client *client, const char *url, struct arm_operation *ret, struct arm_response *response,
    struct err *err)
{
    if (arm_send(client, "GET", url, NULL, NULL, response, err) == 0) {
        if (decode(ret, &response->http.body, err) == 0)
            return 0;
        return err_wrap(err, "the answer about the operation cannot be understood");
    }
    if (tells_failure(response, ret))
        return 0;
    if (err && err->http_status == 410)
        err->kind = ERR_NOT_FOUND;
    return -1;
}

int arm_operation_get(struct arm_client *client, const char *url, struct arm_operation *ret, struct err *err)
{
    struct arm_response response = {0};

    *ret = (struct arm_operation){.retry_after_ms = -1};
    if (arm_poll_url_check(client, url, err) < 0)
        return -1;
    http_response_init(&response.http);
    int r = get(client, url, ret, &response, err);
    if (r < 0)
        arm_operation_done(ret);
    else
        ret->retry_after_ms = http_response_retry_after_ms(&response.http, clock_wall_ms());
    arm_response_done(&response);
    return r;
}
