/* With FAKE_AZURE_TRACE=FILE in the environment, every request that would need a right in Azure is added to that file,
 * as a line "METHOD PATH", by every fake-azure that a test run starts: what all tests together ask of Azure. A line is
 * one write, so lines of several processes stay whole. A PATCH that names identities is marked, because Azure wants a
 * second right for it. */
#include "base/mem.h"
#include "base/str.h"
#include "fakes/fake_azure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void azure_trace(const struct httpd_request *request)
{
    const char *path = getenv("FAKE_AZURE_TRACE");

    if (!path || !str_has_prefix_nocase(request->path, "/subscriptions/"))
        return;
    _cleanup_(freep) char *body = request->body_len ? xstrndup(request->body, request->body_len) : xstrdup("");
    const char *mark = strstr(body, "\"userAssignedIdentities\":{") ? " identities" : "";
    _cleanup_(freep) char *line = xasprintf("%s %s%s\n", request->method, request->path, mark);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line)) {
        (void)fprintf(stderr, "fake-azure: cannot add to %s\n", path);
        abort();
    }
    (void)close(fd);
}
