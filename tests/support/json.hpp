#pragma once

#include <cstddef>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strait_test {

/// A value of JSON, as far as traces need it.
struct Json {
  enum class Kind { null, number, text, array, object } kind = Kind::null;
  double number = 0;
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json> members;

  const Json& operator[](const std::string& name) const {
    static const Json none;
    const auto found = members.find(name);
    return found == members.end() ? none : found->second;
  }

  /// Nothing unless the whole text is one value, by the letter of RFC 8259 (without `true`, `false`
  /// and characters above U+00FF).
  static std::optional<Json> parse(std::string_view text) {
    Parser parser{text};
    Json value;
    if (!parser.value(value)) return std::nullopt;
    parser.space();
    return parser.rest.empty() ? std::optional(std::move(value)) : std::nullopt;
  }

 private:
  struct Parser {
    std::string_view rest;

    void space() {
      while (!rest.empty() && std::string_view(" \t\r\n").find(rest[0]) != rest.npos) {
        rest.remove_prefix(1);
      }
    }
    bool take(std::string_view word) {
      space();
      if (rest.substr(0, word.size()) != word) return false;
      rest.remove_prefix(word.size());
      return true;
    }
    bool value(Json& out) {
      if (take("null")) return true;
      if (take("[")) {
        out.kind = Kind::array;
        if (take("]")) return true;
        do {
          if (!value(out.items.emplace_back())) return false;
        } while (take(","));
        return take("]");
      }
      if (take("{")) {
        out.kind = Kind::object;
        if (take("}")) return true;
        do {
          std::string name;
          if (!take("\"") || !string(name) || !take(":")) return false;
          if (!value(out.members[name])) return false;
        } while (take(","));
        return take("}");
      }
      if (take("\"")) {
        out.kind = Kind::text;
        return string(out.text);
      }
      out.kind = Kind::number;
      const std::string digits(rest.substr(0, rest.find_first_not_of("-0123456789.eE+")));
      char* end = nullptr;
      out.number = std::strtod(digits.c_str(), &end);
      const bool leading_zero = digits.size() > 1 && digits[0] == '0' && digits[1] != '.';
      if (digits.empty() || *end != '\0' || leading_zero) return false;
      rest.remove_prefix(digits.size());
      return true;
    }
    bool string(std::string& out) {
      while (!rest.empty()) {
        const char c = rest[0];
        rest.remove_prefix(1);
        if (c == '"') return true;
        if (static_cast<unsigned char>(c) < 0x20) return false;
        if (c != '\\') {
          out += c;
          continue;
        }
        if (rest.empty()) return false;
        if (rest[0] != 'u') {
          if (std::string_view("\"\\/bfnrt").find(rest[0]) == rest.npos) return false;
          out += rest[0];
          rest.remove_prefix(1);
          continue;
        }
        const std::string digits(rest.substr(1, 4));
        if (digits.size() != 4 ||
            digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) {
          return false;
        }
        out += static_cast<char>(std::strtoul(digits.c_str(), nullptr, 16));
        rest.remove_prefix(5);
      }
      return false;
    }
  };
};

}  // namespace strait_test
