// What bg.submit may be told besides statement and arguments. See options.h for the contracts.
#include "jobs/options.h"

#include "jobs/args.h"
#include "jobs/option_values.h"
#include "pg/compat_json.h"

#include <cmath>

extern "C" {
#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
}

namespace pllua_bg::jobs {

namespace {

constexpr int kMostParents = 10000;
constexpr int kLongestName = 200; // bytes of a queue
constexpr int kLongestKey = 1000; // its index entry has to fit
constexpr int kMostAttempts = 1000;
constexpr double kLongestBackoff = 365 * 86400.0;
constexpr double kLongestDelay = 100 * 365.25 * 86400;
// Of what is kept of all: the scheduler looks into it whenever it reads the job.
constexpr Size kMostBytes = 64 * 1024;

// The options on their way.
struct Reader {
    Options *options;
    pg::JsonbDraft kept;
    int nkept;
    bool has_mode, has_limit, has_at, has_delay, has_after_failed;
};

void keep(Reader *reader, const char *name, const JsonbValue *value) {
    if (reader->nkept++ == 0) (void)pg::push_jsonb(&reader->kept, WJB_BEGIN_OBJECT);
    JsonbValue key;
    key.type = jbvString;
    key.val.string.val = const_cast<char *>(name);
    key.val.string.len = static_cast<int>(strlen(name));
    (void)pg::push_jsonb(&reader->kept, WJB_KEY, &key);
    (void)pg::push_jsonb(&reader->kept, WJB_VALUE, const_cast<JsonbValue *>(value));
}

void keep_number(Reader *reader, const char *name, double number) {
    JsonbValue value;
    value.type = jbvNumeric;
    value.val.numeric =
        DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(number)));
    keep(reader, name, &value);
}

void read_queue(Reader *reader, const Option &option) {
    reader->options->queue = name_option(option, kLongestName);
}

void read_key(Reader *reader, const Option &option) {
    reader->options->key = name_option(option, kLongestKey);
}

void read_mode(Reader *reader, const Option &option) {
    static const char *const words[] = {"replace", "keep", "unique", nullptr};
    static constexpr KeyMode kModes[] = {KeyMode::kReplace, KeyMode::kKeep, KeyMode::kUnique};
    reader->options->mode = kModes[word_option(option, words)];
    reader->has_mode = true;
}

void read_at(Reader *reader, const Option &option) {
    if (option.value->type != jbvString) refuse_option(option, "a time as text");
    const TimestampTz at = DatumGetTimestampTz(
        DirectFunctionCall3(timestamptz_in, CStringGetDatum(string_of(option.value)),
                            ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
    if (TIMESTAMP_NOT_FINITE(at)) refuse_option(option, "a finite time");
    if (at < GetCurrentTransactionStartTimestamp())
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the time of option \"at\" is in the past"),
                        errhint("Leave out \"at\" for a job that is to run at once.")));
    reader->options->run_at = at;
    reader->options->has_run_at = reader->has_at = true;
}

void read_delay(Reader *reader, const Option &option) {
    const double seconds = seconds_option(option, 0, kLongestDelay);
    reader->options->run_at =
        GetCurrentTimestamp() + static_cast<TimestampTz>(seconds * USECS_PER_SEC);
    reader->options->has_run_at = reader->has_delay = true;
}

void read_every(Reader *reader, const Option &option) {
    if (option.value->type == jbvNumeric) {
        const double seconds = seconds_option(option, 0.001, kLongestDelay);
        reader->options->every = psprintf("%.15g s", seconds);
    } else {
        reader->options->every = name_option(option, kLongestKey);
    }
}

void read_priority(Reader *reader, const Option &option) {
    reader->options->priority =
        static_cast<int16>(integer_option(option, PG_INT16_MIN, PG_INT16_MAX));
}

void read_attempts(Reader *reader, const Option &option) {
    (void)integer_option(option, 1, kMostAttempts);
    keep(reader, option.name, option.value);
}

void read_backoff(Reader *reader, const Option &option) {
    static const char *const words[] = {"exp", "linear", nullptr};
    if (option.value->type == jbvNumeric)
        keep_number(reader, option.name, seconds_option(option, 0, kLongestBackoff));
    else if (word_option(option, words) != 0)
        keep(reader, option.name, option.value);
}

// Kept in milliseconds, as the server's timers have it.
void read_timeout(Reader *reader, const Option &option) {
    const double seconds = seconds_option(option, 0.001, INT_MAX / 1000);
    keep_number(reader, option.name, rint(seconds * 1000));
}

void read_limit_key(Reader *reader, const Option &option) {
    reader->options->limit_key = name_option(option, kLongestKey);
}

void read_limit(Reader *reader, const Option &option) {
    reader->options->limit = static_cast<int16>(integer_option(option, 1, PG_INT16_MAX));
    reader->has_limit = true;
}

bool has_parent(const Options *options, Datum id) {
    for (int i = 0; i < options->nparents; i++)
        if (options->parents[i] == id) return true;
    return false;
}

void read_after(Reader *reader, const Option &option) {
    const JsonbValue *value = option.value;
    // An empty table of Lua may be an object.
    JsonbContainer *list = value->type == jbvBinary ? value->val.binary.data : nullptr;
    const bool is_list =
        list != nullptr && (JsonContainerIsArray(list) || JsonContainerSize(list) == 0);
    if (!is_list && value->type != jbvNumeric) refuse_option(option, "an array of numbers of jobs");
    const uint32 count = is_list ? JsonContainerSize(list) : 1;
    if (count > kMostParents)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option \"after\" has more than %d jobs", kMostParents)));
    Options *options = reader->options;
    options->parents = static_cast<Datum *>(palloc(sizeof(Datum) * count + 1));
    for (uint32 i = 0; i < count; i++) {
        CHECK_FOR_INTERRUPTS();
        const JsonbValue *item = is_list ? getIthJsonbValueFromContainer(list, i) : value;
        const Datum id = Int64GetDatum(integer_option({option.name, item}, 1, PG_INT64_MAX));
        if (!has_parent(options, id)) options->parents[options->nparents++] = id;
    }
}

void read_after_failed(Reader *reader, const Option &option) {
    static const char *const words[] = {"cancel", "run", nullptr};
    if (word_option(option, words) != 0) keep(reader, option.name, option.value);
    reader->has_after_failed = true;
}

void read_transaction(Reader *reader, const Option &option) {
    if (option.value->type != jbvBool) refuse_option(option, "true or false");
    reader->options->transaction = option.value->val.boolean;
    if (!option.value->val.boolean) keep(reader, option.name, option.value);
}

void read_keep(Reader *reader, const Option &option) {
    static const char *const words[] = {"all", "failed", "none", nullptr};
    (void)word_option(option, words);
    keep(reader, option.name, option.value);
}

void read_settings(Reader *reader, const Option &option) {
    const JsonbValue *value = option.value;
    // An empty table of Lua is an array.
    if (value->type == jbvBinary && JsonContainerSize(value->val.binary.data) == 0) return;
    if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
        refuse_option(option, "an object of settings and values");
    each_setting(value->val.binary.data,
                 [](const char *name, const char *text) { check_setting(name, text); });
    keep(reader, option.name, option.value);
}

// By name.
constexpr struct {
    const char *name;
    void (*read)(Reader *reader, const Option &option);
} kOptions[] = {
    {"after", read_after},
    {"after_failed", read_after_failed},
    {"at", read_at},
    {"attempts", read_attempts},
    {"backoff", read_backoff},
    {"delay", read_delay},
    {"every", read_every},
    {"keep", read_keep},
    {"key", read_key},
    {"limit", read_limit},
    {"limit_key", read_limit_key},
    {"mode", read_mode},
    {"priority", read_priority},
    {"queue", read_queue},
    {"settings", read_settings},
    {"timeout", read_timeout},
    {"transaction", read_transaction},
};

[[noreturn]] void refuse_unknown(const char *name) {
    StringInfoData known;
    initStringInfo(&known);
    for (const auto &option : kOptions)
        appendStringInfo(&known, "%s%s", known.len == 0 ? "" : ", ", option.name);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown option of a job: \"%s\"", name),
                    errhint("There are: %s.", known.data)));
}

void read_option(Reader *reader, const Option &option) {
    for (const auto &known : kOptions) {
        if (strcmp(known.name, option.name) != 0) continue;
        if (option.value->type != jbvNull) known.read(reader, option);
        return;
    }
    refuse_unknown(option.name);
}

void need(bool given, const char *name, bool other, const char *needed) {
    if (given && !other)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("option \"%s\" of a job needs option \"%s\"", name, needed)));
}

void check_together(const Reader *reader) {
    const Options *options = reader->options;
    need(reader->has_mode, "mode", options->key != nullptr, "key");
    need(reader->has_limit, "limit", options->limit_key != nullptr, "limit_key");
    need(reader->has_after_failed, "after_failed", options->nparents > 0, "after");
    if (reader->has_at && reader->has_delay)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("a job has either option \"at\" or option \"delay\"")));
}

} // namespace

void read_options(Jsonb *object, Options *options) {
    if (object == nullptr) return;
    if (!JB_ROOT_IS_OBJECT(object) && !(JB_ROOT_IS_ARRAY(object) && JB_ROOT_COUNT(object) == 0))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("the options of a job must be an object of JSON")));
    Reader reader = {options};
    JsonbIterator *iterator = JsonbIteratorInit(&object->root);
    JsonbValue key, value;
    JsonbIteratorToken token;
    while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE) {
        if (token != WJB_KEY) continue;
        (void)JsonbIteratorNext(&iterator, &value, true);
        read_option(&reader, {string_of(&key), &value});
    }
    check_together(&reader);
    if (reader.nkept == 0) return;
    options->kept = JsonbValueToJsonb(pg::push_jsonb(&reader.kept, WJB_END_OBJECT));
    if (VARSIZE(options->kept) > kMostBytes)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the options of the job are too long"),
                        errdetail("What is kept of them has at most 64 kB."),
                        errhint("Put the data into a table, and its key into the job.")));
}

} // namespace pllua_bg::jobs
