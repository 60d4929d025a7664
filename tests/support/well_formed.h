// Whether a page is well-formed as XML wants it, which HTML forgives and hides.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/unicode.h"

namespace cria {

class MarkupCheck {
 public:
  // What is wrong, with the text there; "" when nothing is.
  static std::string fault(std::string_view text) { return MarkupCheck(text).run(); }

 private:
  explicit MarkupCheck(std::string_view text) : text_(text) {}

  std::string run() {
    if (first_invalid_utf8(text_)) return "not UTF-8";
    take("<!DOCTYPE html>\n");
    while (fault_.empty() && at_ < text_.size()) {
      if (text_[at_] == '<') {
        tag();
      } else {
        characters("<");
      }
    }
    if (fault_.empty() && !open_.empty()) fail("not closed: " + open_.back());
    if (fault_.empty() && roots_ != 1) fail("not one root");
    return fault_;
  }

  void fail(const std::string& what) {
    if (fault_.empty()) fault_ = what + " before: " + std::string(text_.substr(at_, 60));
  }
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  std::string name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  std::string_view("-_:").find(text_[at_]) != text_.npos)) {
      ++at_;
    }
    if (at_ == begin) fail("no name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  // Text up to one of `ends`: no markup, only these five entities, no control character.
  void characters(std::string_view ends) {
    while (fault_.empty() && at_ < text_.size() && ends.find(text_[at_]) == ends.npos) {
      const auto [c, length] = decode_utf8(text_, at_);
      const bool is_control = (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0);
      const bool is_turn = (c >= 0x202A && c <= 0x202E) || c == 0x2066 || c == 0x2067;
      if (is_control || is_turn || c == '<' || c == '>' || (c & 0xFFFE) == 0xFFFE) {
        fail("a forbidden character");
      }
      if (open_.empty() && c != '\n') fail("text outside");
      if (c == '&') {
        bool known = false;
        for (const char* each : {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"}) {
          known = known || take(each);
        }
        if (!known) fail("a bare &");
      } else {
        at_ += static_cast<size_t>(length);
      }
    }
  }

  void tag() {
    if (take("</")) {
      const std::string closed = name();
      if (!take(">")) fail("no >");
      if (open_.empty() || open_.back() != closed)
        return fail("closes what is not open: " + closed);
      open_.pop_back();
      return;
    }
    ++at_;
    const std::string opened = name();
    std::set<std::string> seen;
    while (fault_.empty() && take(" ")) {
      if (!seen.insert(name()).second) fail("an attribute twice");
      if (!take("=\"")) fail("no value");
      open_.push_back("attribute");
      characters("\"");
      open_.pop_back();
      if (!take("\"")) fail("no closing quote");
    }
    if (open_.empty()) ++roots_;
    if (take("/>")) return;
    if (!take(">")) return fail("no >");
    open_.push_back(opened);
    // Their content is no markup.
    if (opened == "script" || opened == "style")
      at_ = std::min(text_.find("</", at_), text_.size());
  }

  std::string_view text_;
  size_t at_ = 0;
  int roots_ = 0;
  std::vector<std::string> open_;
  std::string fault_;
};

}  // namespace cria
