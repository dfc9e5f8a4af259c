/* Kubeconfig files: read, looked up as if they were one, decoded. Internal to pkg/kube.
 *
 * Merging is client-go's (tools/clientcmd): the first file that has an entry of a name wins, with the whole entry; the
 * first that sets current-context wins. Relative paths belong to the file that they stand in. Nothing is merged in
 * memory: look-ups walk the files in order, so every value keeps its file for messages and paths. */
#pragma once

#include "kube/config.h"
#include "json/json.h"

struct kubeconfig_file {
    char *path;
    cJSON *tree;
};

struct kubeconfig {
    struct kubeconfig_file *files;
    size_t n;
};

/* An object within a file. */
struct kubeconfig_place {
    const struct kubeconfig_file *file;
    const cJSON *object;
    char name[64]; /* "users[2].user" */
};

void kubeconfig_done(struct kubeconfig *k); /* wipes: the trees hold keys and tokens */
/* ERR_NOT_FOUND when there is no such file. */
int kubeconfig_add(struct kubeconfig *k, const char *path, struct err *err);
/* The files' paths with ", " between them; the caller frees it. */
char *kubeconfig_paths(const struct kubeconfig *k);
/* What the context (NULL: current-context) says. Environment proxies are not looked at. */
int kubeconfig_decode(struct kube_config **ret, const struct kubeconfig *k, const char *context, struct err *err);

/* --- of kubeconfig.c, for kubeconfig_decode.c --- */

/* Entry NAME of list ("users"), its member ("user"): 1 found, 0 there is none, -1 the files are malformed. */
int kubeconfig_find(const struct kubeconfig *k, const char *list, const char *member, const char *name,
    struct kubeconfig_place *ret, struct err *err);
/* 1 and *ret (borrowed), 0 when no file sets it. */
int kubeconfig_current_context(const struct kubeconfig *k, const char **ret, struct err *err);
/* For a message: the names in a list, at most a few; the caller frees it. */
char *kubeconfig_names(const struct kubeconfig *k, const char *list);
/* -1 with "FILE: users[2].user.FIELD: ..."; field may be NULL. */
int kubeconfig_fail(const struct kubeconfig_place *at, const char *field, struct err *err, const char *format, ...)
    _printf_(4, 5);
/* A string field: absent, null and "" give NULL. */
int kubeconfig_text(const struct kubeconfig_place *at, const char *field, const char **ret, struct err *err);
