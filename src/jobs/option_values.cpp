// Values of options. See option_values.h for the contracts.
#include "jobs/option_values.h"

#include "jobs/args.h"

#include <cmath>

extern "C" {
#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/numeric.h"
}

namespace pllua_bg::jobs {

namespace {

double number_of(const JsonbValue *value) {
    return DatumGetFloat8(
        DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
}

double seconds_of_interval(const char *text) {
    const Interval *span = DatumGetIntervalP(DirectFunctionCall3(
        interval_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
    return (span->month * 30.0 + span->day) * SECS_PER_DAY +
           static_cast<double>(span->time) / USECS_PER_SEC;
}

char *setting_text(const char *name, const JsonbValue *value) {
    if (value->type == jbvString) return string_of(value);
    if (value->type == jbvNumeric || value->type == jbvBool) {
        Jsonb *json = jsonb_of(value);
        return JsonbToCString(nullptr, &json->root, static_cast<int>(VARSIZE(json)));
    }
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("the value of setting \"%s\" of a job must be a text, a number or a boolean",
                    name)));
}

GucContext rights() { return superuser() ? PGC_SUSET : PGC_USERSET; }

} // namespace

void refuse_option(const Option &option, const char *wanted) {
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("option \"%s\" of a job must be %s", option.name, wanted)));
}

char *name_option(const Option &option, int most) {
    if (option.value->type != jbvString || option.value->val.string.len == 0)
        refuse_option(option, "a text that is not empty");
    if (option.value->val.string.len > most)
        refuse_option(option, psprintf("a text of at most %d bytes", most));
    return string_of(option.value);
}

int64 integer_option(const Option &option, int64 least, int64 most) {
    const char *wanted =
        most == PG_INT64_MAX
            ? "a whole number from 1 on"
            : psprintf("a whole number from " INT64_FORMAT " to " INT64_FORMAT, least, most);
    if (option.value->type != jbvNumeric) refuse_option(option, wanted);
    const char *text = DatumGetCString(
        DirectFunctionCall1(numeric_out, NumericGetDatum(option.value->val.numeric)));
    if (strspn(text, "-0123456789") != strlen(text) || strlen(text) > 18)
        refuse_option(option, wanted);
    const int64 number = strtoll(text, nullptr, 10);
    if (number < least || number > most) refuse_option(option, wanted);
    return number;
}

double seconds_option(const Option &option, double least, double most) {
    double seconds;
    if (option.value->type == jbvNumeric)
        seconds = number_of(option.value);
    else if (option.value->type == jbvString)
        seconds = seconds_of_interval(string_of(option.value));
    else
        refuse_option(option, "a number of seconds, or an interval as text");
    if (!(seconds >= least && seconds <= most))
        refuse_option(option, psprintf("from %g to %.15g seconds", least, most));
    return seconds;
}

int word_option(const Option &option, const char *const *words) {
    StringInfoData known;
    initStringInfo(&known);
    const char *text = option.value->type == jbvString ? string_of(option.value) : "";
    for (int i = 0; words[i] != nullptr; i++) {
        if (strcmp(words[i], text) == 0) return i;
        appendStringInfo(&known, "%s\"%s\"", i == 0 ? "one of " : ", ", words[i]);
    }
    refuse_option(option, known.data);
}

void each_setting(JsonbContainer *object, void (*visit)(const char *name, const char *value)) {
    JsonbIterator *iterator = JsonbIteratorInit(object);
    JsonbValue key, value;
    JsonbIteratorToken token;
    while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE) {
        if (token != WJB_KEY) continue;
        (void)JsonbIteratorNext(&iterator, &value, true);
        const char *name = string_of(&key);
        visit(name, setting_text(name, &value));
    }
}

void check_setting(const char *name, const char *value) {
    if (pg_strcasecmp(name, "role") == 0 || pg_strcasecmp(name, "session_authorization") == 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("setting \"%s\" is not for jobs", name),
                        errdetail("A job runs as the role that has submitted it.")));
    (void)set_config_option(name, value, rights(), PGC_S_SESSION, GUC_ACTION_SAVE, false, ERROR,
                            false);
}

void set_for_now(const char *name, const char *value) {
    (void)set_config_option(name, value, rights(), PGC_S_SESSION, GUC_ACTION_SAVE, true, ERROR,
                            false);
}

void set_for_session(const char *name, const char *value) {
    (void)set_config_option(name, value, rights(), PGC_S_SESSION, GUC_ACTION_SET, true, ERROR,
                            false);
}

} // namespace pllua_bg::jobs
