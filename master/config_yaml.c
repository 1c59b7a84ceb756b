/* SPDX-License-Identifier: MIT */
/*
 * config_yaml.c - from libyaml's events to a tree. Events rather than libyaml's own documents,
 * because those forget duplicate keys' order, share aliased nodes (which makes an exponential walk
 * cheap to write), and can't be bounded.
 */
#include "master/config_yaml.h"

#include "master/config_value.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#define ANCHORS_MAX 64
#define ANCHOR_BYTES 64

struct builder {
    yaml_parser_t parser;
    const struct config_source *source;
    struct config_report *report;
    struct config_node *root;
    struct config_node *stack[CONFIG_YAML_DEPTH_MAX]; /* open lists and maps; all hang below root */
    size_t depth;
    size_t nodes;
    size_t documents;
    struct {
        char name[ANCHOR_BYTES];
        struct config_node *node; /* in the tree, which lives as long */
    } anchor[ANCHORS_MAX];
    size_t anchors;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct builder *b, yaml_mark_t mark,
                                                        const char *format, ...)
{
    va_list args;

    va_start(args, format);
    config_problem_add_args(b->report, b->source, (uint32_t)mark.line + 1,
                            (uint32_t)mark.column + 1, CONFIG_ERROR, format, args);
    va_end(args);
    return -EINVAL;
}

/* Bytes that are no text at all: libyaml gives an offset only. */
static int refuse_bytes(struct builder *b)
{
    const char *text = b->source->text;
    size_t end = b->parser.problem_offset;
    yaml_mark_t mark = {0};

    if (end > b->source->bytes)
        end = b->source->bytes;
    for (size_t i = 0; i < end; i++) {
        if (text[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((text[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return refuse(b, mark, "not readable as text: %s", b->parser.problem);
}

/* The mistakes that libyaml's words don't explain. */
static const char *hint_for(const struct config_source *source, size_t line)
{
    const char *at = source->text;
    const char *end = source->text + source->bytes;
    const char *stop;

    for (size_t i = 0; i < line; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            return "";
        at++;
    }
    stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop)
        stop = end;
    if (memmem(at, (size_t)(stop - at), "]:", 2) && memmem(at, (size_t)(stop - at), "::", 2))
        return "; an IPv6 address needs quotes: \"[::]:8080\"";
    while (at < stop && *at == ' ')
        at++;
    return at < stop && *at == '\t' ? "; indent with spaces, not tabs" : "";
}

static int refuse_syntax(struct builder *b)
{
    const yaml_parser_t *parser = &b->parser;

    if (parser->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR)
        return refuse_bytes(b);
    if (parser->context)
        return refuse(b, parser->problem_mark, "%s, %s that begins at %zu:%zu%s", parser->problem,
                      parser->context, parser->context_mark.line + 1,
                      parser->context_mark.column + 1,
                      hint_for(b->source, parser->problem_mark.line));
    return refuse(b, parser->problem_mark, "%s%s", parser->problem,
                  hint_for(b->source, parser->problem_mark.line));
}

static void report_duplicate(struct builder *b, const struct config_node *map,
                             const struct config_node *key)
{
    for (const struct config_node *other = map->first; other; other = other->next) {
        char path[CONFIG_YAML_PATH_BYTES];
        char show[CONFIG_SHOW_BYTES];

        if (strcmp(other->key->text, key->text) != 0)
            continue;
        (void)config_node_path(map, path);
        config_node_problem(b->report, key, CONFIG_ERROR,
                            "duplicate key `%s%s%s`, first on line %u", path, path[0] ? "." : "",
                            config_value_show(key->text, show), other->key->line);
        return;
    }
}

/* Hang a finished scalar, or a list or map that begins, where it belongs. Takes node, also on
 * failure. */
static int attach(struct builder *b, yaml_mark_t mark, struct config_node *node)
{
    struct config_node *parent = b->depth > 0 ? b->stack[b->depth - 1] : NULL;
    struct config_node *key = NULL;

    if (++b->nodes > CONFIG_YAML_NODES_MAX) {
        config_node_free(node);
        return refuse(b, mark, "too large: more than %d values", CONFIG_YAML_NODES_MAX);
    }
    if (!parent) {
        b->root = node;
        return 0;
    }
    if (parent->kind == CONFIG_NODE_MAP && !parent->pending_key) {
        if (node->kind != CONFIG_NODE_SCALAR && node->kind != CONFIG_NODE_NULL) {
            config_node_free(node);
            return refuse(b, mark, "a key must be plain text, not a list or a map%s",
                          hint_for(b->source, mark.line));
        }
        parent->pending_key = node;
        report_duplicate(b, parent, node);
        return 0;
    }
    if (parent->kind == CONFIG_NODE_MAP) {
        key = parent->pending_key;
        parent->pending_key = NULL;
    }
    config_node_put(parent, key, node);
    return 0;
}

static int set_anchor(struct builder *b, yaml_mark_t mark, const yaml_char_t *name,
                      struct config_node *node)
{
    if (!name)
        return 0;
    if (b->anchors == ANCHORS_MAX || strlen((const char *)name) >= ANCHOR_BYTES)
        return refuse(b, mark, "too many anchors, or one with too long a name");
    strcpy(b->anchor[b->anchors].name, (const char *)name);
    b->anchor[b->anchors++].node = node;
    return 0;
}

static struct config_node *node_at(struct builder *b, yaml_mark_t mark, const char *text,
                                   enum config_node_kind kind)
{
    struct config_node *node = config_node_new(b->source, text);

    if (node) {
        node->kind = kind;
        node->line = (uint32_t)mark.line + 1;
        node->column = (uint32_t)mark.column + 1;
    }
    return node;
}

static int on_open(struct builder *b, const yaml_event_t *event)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *anchor =
        is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    struct config_node *node;
    int rc;

    if (b->depth == CONFIG_YAML_DEPTH_MAX)
        return refuse(b, event->start_mark, "too deep: more than %d levels", CONFIG_YAML_DEPTH_MAX);
    node = node_at(b, event->start_mark, "", is_map ? CONFIG_NODE_MAP : CONFIG_NODE_LIST);
    if (!node)
        return -ENOMEM;
    rc = attach(b, event->start_mark, node);
    if (rc != 0)
        return rc;
    b->stack[b->depth++] = node;
    return set_anchor(b, event->start_mark, anchor, node);
}

static bool is_null(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || !event->data.scalar.plain_implicit)
        return false;
    for (size_t i = 0; i < array_len(words); i++) {
        if (strcmp((const char *)event->data.scalar.value, words[i]) == 0)
            return true;
    }
    return false;
}

/* The text of a value with ${…} replaced. */
static int expand(struct builder *b, const yaml_event_t *event, char **ret_text)
{
    char name[CONFIG_SHOW_BYTES];

    switch (config_value_expand((const char *)event->data.scalar.value, ret_text, name)) {
    case 0:
        return 0;
    case -ENOENT:
        return refuse(b, event->start_mark,
                      "the environment has no %s; ${%s:-default} would stand in for it", name,
                      name);
    case -EINVAL:
        return refuse(b, event->start_mark,
                      "`%s`: wanted ${NAME} or ${NAME:-default}; $${ stands for ${ itself", name);
    case -E2BIG:
        return refuse(b, event->start_mark, "too long with its variables replaced");
    default:
        return -ENOMEM;
    }
}

static int on_scalar(struct builder *b, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    const struct config_node *parent = b->depth > 0 ? b->stack[b->depth - 1] : NULL;
    bool is_key = parent && parent->kind == CONFIG_NODE_MAP && !parent->pending_key;
    autofree char *text = NULL;
    struct config_node *node;
    int rc = 0;

    if (strlen(value) != event->data.scalar.length)
        return refuse(b, event->start_mark, "a NUL character");
    if (!is_key)
        rc = expand(b, event, &text);
    if (rc == -EINVAL)
        rc = 0; /* reported; the rest of the file is worth reading */
    if (rc != 0)
        return rc;
    node = node_at(b, event->start_mark, text ? text : value,
                   !is_key && is_null(event) ? CONFIG_NODE_NULL : CONFIG_NODE_SCALAR);
    if (!node)
        return -ENOMEM;
    node->is_plain =
        event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event->data.scalar.plain_implicit;
    rc = attach(b, event->start_mark, node);
    return rc != 0 ? rc : set_anchor(b, event->start_mark, event->data.scalar.anchor, node);
}

/* Copy node and all below to the place that is open now. */
static int copy(struct builder *b, yaml_mark_t mark, const struct config_node *node)
{
    struct config_node *made;
    int rc;

    if (b->depth == CONFIG_YAML_DEPTH_MAX)
        return refuse(b, mark, "too deep: more than %d levels", CONFIG_YAML_DEPTH_MAX);
    made = node_at(b, mark, node->text, node->kind);
    if (!made)
        return -ENOMEM;
    made->is_plain = node->is_plain;
    made->line = node->line; /* where it is written */
    made->column = node->column;
    rc = attach(b, mark, made);
    if (rc != 0 || !node->first)
        return rc;
    b->stack[b->depth++] = made;
    for (const struct config_node *child = node->first; child && rc == 0; child = child->next) {
        if (child->key)
            rc = copy(b, mark, child->key);
        if (rc == 0)
            rc = copy(b, mark, child);
    }
    b->depth--;
    return rc;
}

static int on_alias(struct builder *b, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;

    for (size_t i = b->anchors; i-- > 0;) {
        if (strcmp(b->anchor[i].name, name) != 0)
            continue;
        for (size_t d = 0; d < b->depth; d++) {
            if (b->stack[d] == b->anchor[i].node)
                return refuse(b, event->start_mark, "an alias within what it stands for");
        }
        return copy(b, event->start_mark, b->anchor[i].node);
    }
    return refuse(b, event->start_mark, "an alias for an anchor that is not there");
}

static int on_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return b->documents++ == 0
                   ? 0
                   : refuse(b, event->start_mark, "a second document; one is wanted");
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return on_open(b, event);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        return 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(b, event);
    case YAML_ALIAS_EVENT:
        return on_alias(b, event);
    default:
        return 0;
    }
}

static int build(struct builder *b)
{
    bool end = false;
    int rc = 0;

    while (rc == 0 && !end) {
        yaml_event_t event;

        if (!yaml_parser_parse(&b->parser, &event))
            return refuse_syntax(b);
        end = event.type == YAML_STREAM_END_EVENT;
        rc = on_event(b, &event);
        yaml_event_delete(&event);
    }
    return rc;
}

int config_yaml_parse(const struct config_source *source, struct config_report *report,
                      struct config_node **ret_root)
{
    autofree struct builder *b = calloc(1, sizeof *b);
    int rc;

    if (!b)
        return -ENOMEM;
    b->source = source;
    b->report = report;
    if (source->bytes > CONFIG_YAML_BYTES_MAX) {
        config_problem_add(report, source, 0, 0, CONFIG_ERROR, "too large: more than %llu bytes",
                           (unsigned long long)CONFIG_YAML_BYTES_MAX);
        return -EINVAL;
    }
    if (!yaml_parser_initialize(&b->parser))
        return -ENOMEM;
    yaml_parser_set_input_string(
        &b->parser, (const unsigned char *)(source->text ? source->text : ""), source->bytes);
    rc = build(b);
    yaml_parser_delete(&b->parser);
    if (rc != 0) {
        config_node_free(b->root);
        return rc;
    }
    *ret_root = b->root;
    return 0;
}
