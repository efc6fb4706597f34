// Reads what a trigger function does with its rows. See row_use.h for the contracts.
//
// A row that no other code can get hold of may lack the fields that the text does not name. So
// whatever could hand the row on, or end the function before the end of the text, makes it whole:
// the reader knows Lua's words, not its grammar.
#include "pl/row_use.h"

namespace pllua_bg::pl {

namespace {

enum class Kind { kEnd, kName, kDot, kSemicolon, kOther };

struct Token {
    Kind kind;
    const char *text;
    size_t length;
};

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What a long bracket that begins here (level signs between two brackets) is closed by; -1 where
// none does.
int long_bracket_level(const char *at) {
    if (*at++ != '[') return -1;
    int level = 0;
    for (; *at == '='; at++) level++;
    return *at == '[' ? level : -1;
}

const char *skip_long_bracket(const char *at, int level) {
    for (at += level + 2; *at != '\0'; at++) {
        if (*at != ']') continue;
        int signs = 0;
        while (at[1 + signs] == '=') signs++;
        if (signs == level && at[1 + signs] == ']') return at + level + 2;
    }
    return at;
}

const char *skip_comment(const char *at) {
    at += 2;
    const int level = long_bracket_level(at);
    if (level >= 0) return skip_long_bracket(at, level);
    while (*at != '\0' && *at != '\n' && *at != '\r') at++;
    return at;
}

const char *skip_string(const char *at) {
    const char quote = *at++;
    for (; *at != '\0' && *at != quote; at++)
        if (*at == '\\' && at[1] != '\0') at++;
    return *at == '\0' ? at : at + 1;
}

// A sign belongs to a number after its exponent only.
const char *skip_number(const char *at) {
    const bool hex = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
    const char *exponent = hex ? "pP" : "eE";
    if (hex) at += 2;
    for (; is_word(*at) || *at == '.'; at++)
        if (strchr(exponent, *at) != nullptr && (at[1] == '+' || at[1] == '-')) at++;
    return at;
}

// The next token at *place, which moves behind it.
Token next_token(const char **place) {
    const char *at = *place;
    while (strchr(" \t\r\n\f\v", *at) != nullptr || (at[0] == '-' && at[1] == '-')) {
        if (*at == '\0') break;
        at = *at == '-' ? skip_comment(at) : at + 1;
    }
    Token token = {Kind::kOther, at, 0};
    const int level = long_bracket_level(at);
    const char *end = at + 1;
    if (*at == '\0') {
        token.kind = Kind::kEnd;
        end = at;
    } else if (is_digit(*at) || (*at == '.' && is_digit(at[1]))) {
        end = skip_number(at);
    } else if (is_word(*at)) {
        token.kind = Kind::kName;
        while (is_word(*end)) end++;
    } else if (*at == '"' || *at == '\'') {
        end = skip_string(at);
    } else if (level >= 0) {
        end = skip_long_bracket(at, level);
    } else if (*at == '.') {
        while (*end == '.') end++;
        if (end == at + 1) token.kind = Kind::kDot;
    } else if (*at == ';') {
        token.kind = Kind::kSemicolon;
    }
    token.length = static_cast<size_t>(end - at);
    *place = end;
    return token;
}

bool is_named(const Token &token, const char *name) {
    return token.kind == Kind::kName && token.length == strlen(name) &&
           memcmp(token.text, name, token.length) == 0;
}

bool is_any_of(const Token &token, const char *const *names) {
    for (; *names != nullptr; names++)
        if (is_named(token, *names)) return true;
    return false;
}

// Where `return row` ends.
bool ends_return(const Token &token) {
    static const char *const kWords[] = {"end", "else", "elseif", "until", nullptr};
    return token.kind == Kind::kEnd || token.kind == Kind::kSemicolon || is_any_of(token, kWords);
}

// Fields of the object that give no row.
bool gives_no_row(const Token &token) {
    static const char *const kFields[] = {"op",        "operation", "name", "when",
                                          "level",     "relation",  "args", "old_table",
                                          "new_table", nullptr};
    return is_any_of(token, kFields);
}

void add_field(RowUse *row, const Token &token) {
    if (row->whole) return;
    ListCell *cell;
    foreach (cell, row->fields)
        if (is_named(token, static_cast<const char *>(lfirst(cell)))) return;
    // No table has more columns, and the list is searched for each name.
    row->whole = list_length(row->fields) == MaxHeapAttributeNumber;
    row->fields = lappend(row->fields, pnstrdup(token.text, token.length));
}

struct Reader {
    TriggerUse *use;
    const char *place;
    Token before; // the token before the current one
    int depth;    // of blocks
    bool has_functions;
    bool returns_row;
    bool lost; // other code may get hold of the rows
};

void read_row(Reader *reader, RowUse *row) {
    const char *place = reader->place;
    const Token next = next_token(&place);
    if (next.kind == Kind::kDot)
        add_field(row, next_token(&place));
    else if (is_named(reader->before, "return") && ends_return(next))
        reader->returns_row = true;
    else
        row->whole = true;
}

void read_object(Reader *reader) {
    const char *place = reader->place;
    reader->use->object = true;
    if (next_token(&place).kind != Kind::kDot || !gives_no_row(next_token(&place)))
        reader->lost = true;
}

void read_name(Reader *reader, const Token &token) {
    static const char *const kOpeners[] = {"if", "do", "function", nullptr};
    if (is_named(token, "new")) read_row(reader, &reader->use->new_row);
    if (is_named(token, "old")) read_row(reader, &reader->use->old_row);
    if (is_named(token, "trigger")) read_object(reader);
    if (is_named(token, "debug")) reader->lost = true;
    if (is_named(token, "function")) reader->has_functions = true;
    if (is_any_of(token, kOpeners)) reader->depth++;
    // What follows the end of the function is not its text.
    if (is_named(token, "end") && --reader->depth < 0) reader->lost = true;
}

} // namespace

void read_trigger_use(const char *text, TriggerUse *use) {
    *use = {};
    Reader reader = {};
    reader.use = use;
    reader.place = text;
    for (;;) {
        const Token token = next_token(&reader.place);
        if (token.kind == Kind::kEnd) break;
        if (token.kind == Kind::kName) read_name(&reader, token);
        reader.before = token;
    }
    if (reader.lost || (reader.returns_row && reader.has_functions))
        use->old_row.whole = use->new_row.whole = true;
    if (reader.lost) use->object = true;
}

} // namespace pllua_bg::pl
