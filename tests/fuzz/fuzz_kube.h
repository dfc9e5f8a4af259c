/* A Kubernetes client whose API server is the input (fuzz_script.h). The engine of pkg/http is replaced by the one here
 * as the program is linked: there are no sockets and no threads of it, and everything above is the real thing. */
#pragma once

#include "fuzz_script.h"

#include "kube/client.h"

#define FUZZ_KUBE "http://127.0.0.1"

struct http_engine {
    struct fuzz_script *script;
};

struct http_client *http_engine_client(struct http_engine *engine)
{
    return &engine->script->client;
}

static inline struct kube_client *fuzz_kube_client(struct http_engine *engine)
{
    static char server[] = FUZZ_KUBE, source[] = "the input", ns[] = "default";
    const struct kube_config config = {.source = source, .server = server, .namespace_name = ns};
    struct kube_client *client = NULL;
    struct err err = ERR_INIT;

    FUZZ_CHECK(kube_client_new(&client, engine, &config, &err) == 0);
    return client;
}
