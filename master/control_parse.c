/* SPDX-License-Identifier: MIT */
/*
 * control_parse.c - the commands of the control socket as one table, and their fields.
 */
#include "master/control_parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    enum control_verb verb;
    const char *fields; /* besides "command", each followed by a space */
} commands[] = {
    {"status", CONTROL_STATUS, ""},
    {"reload", CONTROL_RELOAD, ""},
    {"stop", CONTROL_STOP, ""},
    {"drain", CONTROL_DRAIN, ""},
    {"purge", CONTROL_PURGE, "urls prefixes tags all "},
    {"cache-stat", CONTROL_CACHE_STAT, ""},
    {"cache-ls", CONTROL_CACHE_LS, "prefix "},
    {"cache-get", CONTROL_CACHE_GET, "url "},
    {"log", CONTROL_LOG, "level "},
    {"where", CONTROL_WHERE, ""},
};

/* Is name one of the words in fields? */
static bool field_known(const char *fields, const char *name)
{
    size_t n = strlen(name);

    if (strchr(name, ' ') != NULL)
        return false;
    for (const char *at = fields; *at != '\0'; at = strchr(at, ' ') + 1)
        if (n > 0 && strncmp(at, name, n) == 0 && at[n] == ' ')
            return true;
    return false;
}

static int strings_field(const json_t *json, const char *name, const json_t **ret_array,
                         const char **ret_why)
{
    const json_t *array = json_object_get(json, name);

    if (array == NULL || json_is_null(array))
        return 0;
    *ret_why = "urls, prefixes and tags must be arrays of non-empty strings";
    if (!json_is_array(array))
        return -EINVAL;
    for (size_t i = 0; i < json_array_size(array); i++)
        if (json_string_length(json_array_get(array, i)) == 0) /* 0 also when it is no string */
            return -EINVAL;
    *ret_array = array;
    return 0;
}

static int parse_purge(struct control_request *request, const char **ret_why)
{
    const json_t *all = json_object_get(request->json, "all");

    if (strings_field(request->json, "urls", &request->urls, ret_why) != 0 ||
        strings_field(request->json, "prefixes", &request->prefixes, ret_why) != 0 ||
        strings_field(request->json, "tags", &request->tags, ret_why) != 0)
        return -EINVAL;
    *ret_why = "all must be true or false";
    if (all != NULL && !json_is_boolean(all))
        return -EINVAL;
    request->all = json_is_true(all);
    *ret_why = "nothing to purge: give urls, prefixes, tags or all";
    if (!request->all && json_array_size(request->urls) == 0 &&
        json_array_size(request->prefixes) == 0 && json_array_size(request->tags) == 0)
        return -EINVAL;
    return 0;
}

static int string_field(const json_t *json, const char *name, const char **ret_text)
{
    const char *text = json_string_value(json_object_get(json, name));

    if (text == NULL)
        return -EINVAL;
    *ret_text = text;
    return 0;
}

static int parse_fields(struct control_request *request, const char **ret_why)
{
    switch (request->verb) {
    case CONTROL_PURGE:
        return parse_purge(request, ret_why);
    case CONTROL_CACHE_LS:
        request->prefix = "";
        *ret_why = "prefix must be a string";
        return json_object_get(request->json, "prefix") == NULL
                   ? 0
                   : string_field(request->json, "prefix", &request->prefix);
    case CONTROL_CACHE_GET:
        *ret_why = "url must be a string";
        return string_field(request->json, "url", &request->url);
    case CONTROL_LOG:
        *ret_why = "level must be a string";
        return string_field(request->json, "level", &request->level);
    default:
        return 0;
    }
}

static int parse_command(struct control_request *request, const char **ret_why)
{
    const char *name = json_string_value(json_object_get(request->json, "command"));
    size_t i;

    *ret_why = "no command: send one JSON object a line, {\"command\":\"status\"}";
    if (name == NULL)
        return -EINVAL;
    for (i = 0; i < array_len(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            break;
    *ret_why = "unknown command";
    if (i == array_len(commands))
        return -EINVAL;
    request->verb = commands[i].verb;
    *ret_why = "unknown field for this command";
    for (void *it = json_object_iter(request->json); it != NULL;
         it = json_object_iter_next(request->json, it)) {
        const char *key = json_object_iter_key(it);

        if (strcmp(key, "command") != 0 && !field_known(commands[i].fields, key))
            return -EINVAL;
    }
    return parse_fields(request, ret_why);
}

int control_parse(const char *line, size_t line_bytes, struct control_request *ret_request,
                  const char **ret_why)
{
    struct control_request request = {0};
    json_error_t error;
    int rc;

    *ret_why = "line too long";
    if (line_bytes > CONTROL_LINE_BYTES_MAX)
        return -EINVAL;
    *ret_why = "not a JSON object";
    request.json = json_loadb(line, line_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(request.json))
        rc = -EINVAL;
    else
        rc = parse_command(&request, ret_why);
    if (rc != 0) {
        control_request_done(&request);
        return rc;
    }
    *ret_request = request;
    return 0;
}

void control_request_done(struct control_request *request)
{
    json_decref(request->json);
    *request = (struct control_request){0};
}

int control_url_path(const char *url, struct span *ret_path)
{
    const char *path = url;

    if (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0) {
        path = strstr(url, "://") + 3;
        if (*path == '/' || *path == '\0')
            return -EINVAL; /* no host */
        path += strcspn(path, "/?#");
        if (*path != '/')
            path = *path == '?' ? NULL : "/";
    }
    if (path == NULL || *path != '/')
        return -EINVAL;
    *ret_path = (struct span){path, strcspn(path, "#")};
    return 0;
}
