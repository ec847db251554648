// The same: how messages are printed, which nobody here does.
#pragma once
#include <iostream>

namespace CppCommon {
template <class T> T WriteChar(T value) { return value; }
template <class T> const T& WriteString(const T& value) { return value; }
} // namespace CppCommon
