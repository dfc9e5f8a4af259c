/* A fleet in virtual time: thousands of CosmosCMK for the accounts of one subscription, one controller, and an ARM that
 * counts requests in token buckets as the real one does.
 *
 * For real run: the reconcile loop, its ports over pkg/azure and the codec, the limiter as a layer, the queue's core.
 * One worker, each of whose requests takes latency_ms. */
#pragma once

#include "azure/limiter.h"
#include "controller/azure_port.h"
#include "controller/kube_port.h"
#include "controller/reconcile.h"
#include "controller/store.h"
#include "fakes/fake_azure_model.h"
#include "queue/queue.h"
#include "json/json.h"

#define FLEET_SUBSCRIPTION "00000000-0000-0000-0000-000000000001"

struct fleet_options {
    size_t accounts;
    int64_t latency_ms;
    int64_t encrypt_ms;
};

struct fleet_bucket {
    double level, burst, per_s;
    int64_t at;
    size_t taken, throttled;
    int64_t last_throttled; /* time after the begin; -1: never */
};

struct fleet {
    struct fleet_options options;
    int64_t begin, now;

    struct http_client http; /* of the other side; what perform() is given */
    struct azure_model *model;
    struct fleet_bucket reads, writes;

    cJSON **objects;
    int64_t *ready_at; /* time after the begin; -1: not yet */
    size_t ready;
    size_t status_writes, paced_writes; /* the second: that say Throttled */
    int64_t version;
    uint64_t uuids;

    struct http_client *limiter;
    struct azure_cloud *cloud;
    struct arm_client *arm;
    struct azure_port_context azure;
    struct store *store;
    struct queue *queue;
    struct kube_port_context kube;
    struct ports ports;
    struct reconciler reconciler;
};

struct fleet *fleet_new(const struct fleet_options *options);
struct fleet *fleet_free(struct fleet *f);
DEFINE_CLEANUP(struct fleet *, fleet_free)
/* Until so many are Ready, or so long after the begin: whether they are. */
bool fleet_run(struct fleet *f, size_t ready, int64_t until_ms);
/* Multiplies what ARM allows. */
void fleet_limits(struct fleet *f, double factor);
