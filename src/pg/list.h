// A doubly linked list whose links are members of its elements: `before` and `after`.
// Owns nothing; all zero is the empty list.
#pragma once

namespace pllua_bg::pg {

template <class T> struct LinkedList {
    T *first;
    T *last;

    void append(T *element) {
        element->before = last;
        element->after = nullptr;
        (last == nullptr ? first : last->after) = element;
        last = element;
    }

    void remove(T *element) {
        (element->before == nullptr ? first : element->before->after) = element->after;
        (element->after == nullptr ? last : element->after->before) = element->before;
        element->before = element->after = nullptr;
    }

    // nullptr when the list is empty.
    T *take_first() {
        T *element = first;
        if (element != nullptr) remove(element);
        return element;
    }
};

} // namespace pllua_bg::pg
