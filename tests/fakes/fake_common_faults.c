/* Fault rules: which request, and what happens to it instead.
 *
 * A rule counts the requests that fit it from the moment it was made, and has its turn from the nth of them for count
 * requests. A rule with a mistake in it is refused whole: a test that believes in a fault which never fires proves
 * nothing. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_common_core.h"
#include "json/json.h"

#include <string.h>

#define FAULTS_MAX 256

struct fake_fault {
    char *method; /* NULL: any */
    char *path_contains;
    char *query_contains;
    char *body_contains;
    char *agent_contains;
    int64_t nth;   /* 1: the next one */
    int64_t count; /* 0: for ever */
    int64_t seen;
    int64_t fired;
    struct fake_action action;
};

void fake_action_done(struct fake_action *action)
{
    free(action->body);
    free(action->kill_file);
    (void)json_free(action->headers);
    *action = (struct fake_action){0};
}

static struct fake_fault *fault_free(struct fake_fault *fault)
{
    if (!fault)
        return NULL;
    free(fault->method);
    free(fault->path_contains);
    free(fault->query_contains);
    free(fault->body_contains);
    free(fault->agent_contains);
    fake_action_done(&fault->action);
    free(fault);
    return NULL;
}
DEFINE_CLEANUP(struct fake_fault *, fault_free)

static int check_names(const cJSON *object, const char *where, const char *const *known, struct err *err)
{
    const cJSON *child;

    if (!cJSON_IsObject(object))
        return err_set(err, ERR_INVALID, "a fault rule needs an object \"%s\"", where);
    cJSON_ArrayForEach (child, object) {
        size_t i = 0;
        while (known[i] && !str_eq(known[i], child->string))
            i++;
        if (!known[i])
            return err_set(err, ERR_INVALID, "unknown member \"%s\" in \"%s\" of a fault rule", child->string, where);
    }
    return 0;
}

static int read_match(const cJSON *match, struct fake_fault *fault, struct err *err)
{
    static const char *const known[] = {
        "method", "pathContains", "queryContains", "bodyContains", "agentContains", "nth", "count", NULL};
    static const struct json_field fields[] = {
        {"method", JSON_STRING, offsetof(struct fake_fault, method)},
        {"pathContains", JSON_STRING, offsetof(struct fake_fault, path_contains)},
        {"queryContains", JSON_STRING, offsetof(struct fake_fault, query_contains)},
        {"bodyContains", JSON_STRING, offsetof(struct fake_fault, body_contains)},
        {"agentContains", JSON_STRING, offsetof(struct fake_fault, agent_contains)},
        {"nth", JSON_INT, offsetof(struct fake_fault, nth)},
        {"count", JSON_INT, offsetof(struct fake_fault, count)},
    };

    if (check_names(match, "match", known, err) < 0)
        return -1;
    fault->nth = fault->count = 1;
    if (json_decode(match, fields, ARRAY_LEN(fields), fault, err) < 0)
        return -1;
    if (fault->nth < 1 || fault->count < 0)
        return err_set(err, ERR_INVALID, "\"nth\" of a fault rule starts at 1, and \"count\" is not negative");
    return 0;
}

static int read_cut(const cJSON *action, enum fake_cut *ret, struct err *err)
{
    const cJSON *cut = json_member(action, "cut");
    const char *word = json_string_at(action, "cut");

    if (!cut)
        return 0;
    if (!str_eq(word, "before") && !str_eq(word, "after"))
        return err_set(err, ERR_INVALID, "\"cut\" of a fault rule is \"before\" or \"after\"");
    *ret = str_eq(word, "before") ? FAKE_CUT_BEFORE : FAKE_CUT_AFTER;
    return 0;
}

static int read_numbers(const cJSON *action, struct fake_action *ret, struct err *err)
{
    struct numbers {
        int64_t status, delay_ms, retry_after;
        bool commit, hold;
    } numbers = {.retry_after = -1};
    static const struct json_field fields[] = {
        {"status", JSON_INT, offsetof(struct numbers, status)},
        {"delayMs", JSON_INT, offsetof(struct numbers, delay_ms)},
        {"retryAfter", JSON_INT, offsetof(struct numbers, retry_after)},
        {"commit", JSON_BOOL, offsetof(struct numbers, commit)},
        {"hold", JSON_BOOL, offsetof(struct numbers, hold)},
    };

    if (json_decode(action, fields, ARRAY_LEN(fields), &numbers, err) < 0)
        return -1;
    if (numbers.status != 0 && (numbers.status < 200 || numbers.status > 599))
        return err_set(err, ERR_INVALID, "\"status\" of a fault rule is between 200 and 599");
    if (numbers.commit && numbers.status == 0)
        return err_set(err, ERR_INVALID, "\"commit\" of a fault rule needs a \"status\"");
    *ret = (struct fake_action){.some = true,
        .status = (int)numbers.status,
        .delay_ms = numbers.delay_ms,
        .retry_after = numbers.retry_after,
        .commit = numbers.commit,
        .hold = numbers.hold};
    return 0;
}

static int read_action(const cJSON *action, struct fake_action *ret, struct err *err)
{
    static const char *const known[] = {
        "status", "headers", "body", "cut", "delayMs", "hold", "retryAfter", "commit", "kill", NULL};
    const cJSON *body = json_member(action, "body"), *headers = json_member(action, "headers"), *header;

    if (check_names(action, "action", known, err) < 0 || read_numbers(action, ret, err) < 0 ||
        read_cut(action, &ret->cut, err) < 0)
        return -1;
    ret->kill_file = xstrdup(json_string_at(action, "kill"));
    if (json_member(action, "kill") && (!ret->kill_file || ret->cut == FAKE_CUT_NOT))
        return err_set(err, ERR_INVALID, "\"kill\" of a fault rule is the path of a file, and needs \"cut\"");
    if (body)
        ret->body = cJSON_IsString(body) ? xstrdup(body->valuestring) : json_print(body);
    cJSON_ArrayForEach (header, headers)
        if (!cJSON_IsString(header))
            return err_set(err, ERR_INVALID, "\"headers\" of a fault rule must be strings");
    if (headers)
        ret->headers = cJSON_Duplicate(headers, true);
    return 0;
}

int fake_faults_add(struct fake_faults *faults, const cJSON *rule, struct err *err)
{
    static const char *const known[] = {"match", "action", NULL};
    _cleanup_(fault_freep) struct fake_fault *fault = xcalloc(1, sizeof(*fault));

    if (check_names(rule, "rule", known, err) < 0 || read_match(json_member(rule, "match"), fault, err) < 0 ||
        read_action(json_member(rule, "action"), &fault->action, err) < 0)
        return -1;
    if (faults->n == FAULTS_MAX)
        return err_set(err, ERR_INVALID, "more than %d fault rules", FAULTS_MAX);
    faults->v = xrealloc(faults->v, (faults->n + 1) * sizeof(struct fake_fault *));
    faults->v[faults->n++] = TAKE_PTR(fault);
    return 0;
}

void fake_faults_clear(struct fake_faults *faults)
{
    for (size_t i = 0; i < faults->n; i++)
        (void)fault_free(faults->v[i]);
    free(faults->v);
    *faults = (struct fake_faults){0};
}

void fake_faults_heal(struct fake_faults *faults)
{
    size_t kept = 0;

    for (size_t i = 0; i < faults->n; i++)
        if (faults->v[i]->action.kill_file)
            faults->v[kept++] = faults->v[i];
        else
            (void)fault_free(faults->v[i]);
    faults->n = kept;
}

static bool fits(const struct fake_fault *fault, const struct httpd_request *request, const char *agent)
{
    return (!fault->method || str_eq_nocase(fault->method, request->method)) &&
           (!fault->path_contains || str_find_nocase(request->path, fault->path_contains)) &&
           (!fault->query_contains || str_find_nocase(request->query, fault->query_contains)) &&
           (!fault->body_contains || strstr(request->body, fault->body_contains)) &&
           (!fault->agent_contains || (agent && strstr(agent, fault->agent_contains)));
}

static bool has_its_turn(const struct fake_fault *fault)
{
    return fault->seen >= fault->nth && (fault->count == 0 || fault->seen < fault->nth + fault->count);
}

static void take(struct fake_fault *fault, struct fake_action *ret)
{
    fault->fired++;
    *ret = fault->action;
    ret->body = xstrdup(fault->action.body);
    ret->kill_file = xstrdup(fault->action.kill_file);
    ret->killed = fault->action.cut;
    ret->headers = fault->action.headers ? cJSON_Duplicate(fault->action.headers, true) : NULL;
}

/* What the other rule does to the request happens, what it does to the answer does not matter any more. */
static void kill_after(const struct fake_fault *killer, const struct fake_fault *other, struct fake_action *ret)
{
    bool effect = !other || (other->action.cut != FAKE_CUT_BEFORE && !other->action.hold);

    ret->some = true;
    ret->hold = false;
    ret->cut = effect ? FAKE_CUT_AFTER : FAKE_CUT_BEFORE;
    ret->killed = FAKE_CUT_AFTER;
    str_replace(&ret->kill_file, killer->action.kill_file);
}

void fake_faults_match(
    struct fake_faults *faults, const struct httpd_request *request, const char *agent, struct fake_action *ret)
{
    struct fake_fault *first = NULL, *killer = NULL;

    for (size_t i = 0; i < faults->n; i++) {
        struct fake_fault *fault = faults->v[i];
        if (!fits(fault, request, agent))
            continue;
        fault->seen++;
        if (!has_its_turn(fault))
            continue;
        if (fault->action.kill_file && fault->action.cut == FAKE_CUT_BEFORE) {
            take(fault, ret);
            return;
        }
        if (fault->action.kill_file)
            killer = fault;
        else if (!first)
            first = fault;
    }
    if (first)
        take(first, ret);
    if (!killer)
        return;
    killer->fired++;
    kill_after(killer, first, ret);
}

void fake_faults_print(const struct fake_faults *faults, struct buf *b)
{
    buf_putc(b, '[');
    for (size_t i = 0; i < faults->n; i++) {
        const struct fake_fault *fault = faults->v[i];
        buf_printf(b, "%s{\"nth\":%lld,\"count\":%lld,\"seen\":%lld,\"fired\":%lld}", i ? "," : "",
            (long long)fault->nth, (long long)fault->count, (long long)fault->seen, (long long)fault->fired);
    }
    buf_putc(b, ']');
}
