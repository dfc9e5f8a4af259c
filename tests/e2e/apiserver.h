/* The API server of a run: fake-apiserver, or the real one when KUBEBUILDER_ASSETS is set. Whoever starts first (the
 * runner, or a program run by hand) starts it and tells its children by the environment; they use it and leave it
 * alone. */
#pragma once

#include "e2e/process.h"
#include "http/http.h"
#include "kube/client.h"

struct apiserver {
    char *dir;        /* scratch of the whole run */
    char *kubeconfig; /* an administrator's */
    char
        *controller_kubeconfig; /* with a real server: of the controller's ServiceAccount, with the rights of deploy/ */
    char *fake_url;             /* of the inspection API; NULL when the server is real */
    char *fake_ca;              /* path */
    char *path;                 /* PATH with the kubectl that fits, as "PATH=..." */
    char *env[7];               /* the above for children, up to the first NULL */
    bool ours;
    struct process *fake;
    bool real_started;
};

/* Exits with a sentence when there is no server to be had. real: use kube-apiserver from KUBEBUILDER_ASSETS. */
void apiserver_start(struct apiserver *server, bool real);
/* The one that the environment names, else a new one. */
void apiserver_join(struct apiserver *server);
/* Stops what was started here and removes the scratch folder. */
void apiserver_done(struct apiserver *server);
