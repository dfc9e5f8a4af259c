/* Azure Monitor: metrics of an account, and the Activity Log's events about its operations.
 *
 * A metric has the values of the resource ACCOUNT/providers/microsoft.insights/metrics/NAME, "properties.containers":
 * {"orders": 83.5, "idle": null}: one series each, null for a gap. Without such a resource the list of series is empty,
 * as recorded for a metric without data. The Activity Log takes the resource's id in a filter with and without quotes,
 * and under both names that are in use. */
#include "base/mem.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "fakes/fake_azure.h"
#include "json/json.h"

#include <string.h>

#define EVENTS "subscriptions/*/providers/Microsoft.Insights/eventtypes/management/values"
#define METRICS                                                                                                        \
    "subscriptions/*/resourceGroups/*/providers/Microsoft.DocumentDB/databaseAccounts/*/providers/"                    \
    "microsoft.insights/metrics"

/* ---- Metrics ---- */

static void add_series(cJSON *list, const cJSON *container, const char *now)
{
    cJSON *series = cJSON_CreateObject();
    cJSON *value = cJSON_CreateObject(), *point = cJSON_CreateObject();

    cJSON_AddItemToArray(list, series);
    cJSON_AddItemToArray(json_add_array(series, "metadatavalues"), value);
    json_add_string(json_add_object(value, "name"), "value", "collectionname");
    json_add_string(value, "value", container->string);
    cJSON_AddItemToArray(json_add_array(series, "data"), point);
    json_add_string(point, "timeStamp", now);
    if (cJSON_IsNumber(container))
        (void)cJSON_AddNumberToObject(point, "maximum", container->valuedouble);
}

static void get_metrics(struct azure_request *r)
{
    char names[128], timespan[128], now[TIME_TEXT_SIZE];
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
    cJSON *metric = cJSON_CreateObject();
    const cJSON *container;

    if (!httpd_query(r->http, "metricnames", names, sizeof(names)) ||
        !httpd_query(r->http, "timespan", timespan, sizeof(timespan)) || !strchr(timespan, '/')) {
        azure_front_door_error(r, 400, "BadRequest", "metricnames and timespan are required (text of fake-azure).");
        return;
    }
    _cleanup_(freep) char *id = xasprintf("%s/%s", r->http->path, names);
    const cJSON *values = json_at(azure_model_resource(r->azure->model, id), "properties.containers");
    time_format_rfc3339(r->now_ms, now);
    json_add_int(tree, "cost", 0);
    json_add_string(tree, "timespan", timespan);
    json_add_string(tree, "interval", "PT5M");
    cJSON_AddItemToArray(json_add_array(tree, "value"), metric);
    json_add_string(metric, "id", id);
    json_add_string(metric, "type", "Microsoft.Insights/metrics");
    json_add_string(json_add_object(metric, "name"), "value", names);
    cJSON *list = json_add_array(metric, "timeseries");
    cJSON_ArrayForEach (container, values)
        add_series(list, container, now);
    json_add_string(metric, "errorCode", "Success");
    fake_reply_json(r->reply, 200, tree);
}

/* ---- Activity Log ---- */

static void add_event(cJSON *list, const struct azure_operation *operation, const char *account_id, bool end)
{
    cJSON *event = cJSON_CreateObject();
    char at[TIME_TEXT_SIZE];

    time_format_rfc3339_ms(end ? operation->end_ms : operation->start_ms, at);
    cJSON_AddItemToArray(list, event);
    json_add_string(event, "caller", operation->caller ? operation->caller : "somebody@contoso.com");
    json_add_string(event, "correlationId", operation->id);
    json_add_string(event, "eventTimestamp", at);
    json_add_string(json_add_object(event, "eventName"), "value", end ? "EndRequest" : "BeginRequest");
    json_add_string(json_add_object(event, "operationName"), "value", "Microsoft.DocumentDB/databaseAccounts/write");
    json_add_string(json_add_object(event, "status"), "value",
        !end                                     ? "Started"
        : operation->state == AZURE_OP_SUCCEEDED ? "Succeeded"
                                                 : "Failed");
    json_add_string(event, "resourceId", account_id);
}

/* "... and resourceUri eq 'ID'", or without the quotes; NULL: there is none. The caller frees it. */
static char *resource_of(const char *filter)
{
    static const char *const names[] = {"resourceUri eq ", "resourceId eq "};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *at = str_find_nocase(filter, names[i]);
        if (!at)
            continue;
        at += strlen(names[i]);
        at += *at == '\'';
        return xstrndup(at, strcspn(at, "' "));
    }
    return NULL;
}

static void list_events(struct azure_request *r)
{
    _cleanup_(json_freep) cJSON *tree = cJSON_CreateObject();
    cJSON *value = json_add_array(tree, "value");
    char filter[2048] = "";

    (void)httpd_query(r->http, "$filter", filter, sizeof(filter));
    _cleanup_(freep) char *id = resource_of(filter);
    if (!id || !str_find_nocase(filter, "eventTimestamp ge '")) {
        r->reply->status = 400;
        buf_puts(
            &r->reply->body, "{\"Code\":\"BadRequest\",\"Message\":\"The filter is invalid (text of fake-azure).\"}");
        return;
    }
    map_foreach (entry, &r->azure->model->operations) {
        const struct azure_operation *operation = entry->value;
        const struct azure_account *account = operation->account;
        if (!account)
            continue;
        _cleanup_(freep) char *own =
            xasprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.DocumentDB/databaseAccounts/%s",
                account->subscription, account->group, account->name);
        if (!str_eq_nocase(own, id))
            continue;
        if (operation->state != AZURE_OP_RUNNING)
            add_event(value, operation, own, true);
        add_event(value, operation, own, false);
    }
    fake_reply_json(r->reply, 200, tree);
}

bool azure_arm_monitor(struct azure_request *r)
{
    if (azure_path_is(r, METRICS))
        get_metrics(r);
    else if (azure_path_is(r, EVENTS))
        list_events(r);
    else
        return false;
    return true;
}
