// The plots of the demo corpus: rules in the notation that demo_corpus.cpp explains. A small model
// learns to spell and to make sense in a minute because the plots share their sentences, and because
// a name or a thing that matters is said again every hundred bytes or so.
#pragma once

#include "demo_corpus_rule.h"

namespace cria {

inline constexpr DemoRule kDemoPlots[] = {
    {"story", "", R"(
  <opening> [<lost> | <sharing> | <baking> | <rain> | <kite> | <giving> | <little_animal> |
  <learning>])"},

    // --- Pieces that the plots share. The opening ends where the plot says what the hero did.
    {"opening", "", R"(
  [Once upon a time, there was | There once was] a <nature> <hero_noun> named {hero}. <about>
  <day>, {hero} | <day>, a <nature> <hero_noun> named {hero})"},
    {"hero_noun", "", R"(<hero:female.noun> | <hero:male.noun>)"},
    {"about", "", R"(
  {Hero.he} lived [ | with {hero.his} <family>] in a <color> house <home>. | {Hero.he} [loved |
  liked] to <first:activity> and <activity>.)"},
    {"day", "", R"(One [ | sunny | warm | fine] [day | morning])"},
    {"friend_came", "", R"(
  [Soon | Then | Just then,] [{hero.his} friend <friend:@hero.other> | a <nature>
  <friend:@hero.other.noun> named {friend}] came by.)"},
    {"was_sad", "", R"([was | felt] [ | so | very] sad.)"},
    {"why_sad", "", R"("[Why are you sad | What is wrong]?" asked {friend}.)"},
    {"hero_thanks", "", R"(
  "Thank you, {friend}!" said {hero}. | {Hero} thanked {friend} and gave {friend.him} a big hug.)"},
    {"friend_thanks", "", R"(
  "Thank you, {hero}!" said {friend}. | {Friend} thanked {hero} and gave {hero.him} a big hug.)"},
    {"happy_end", "", R"(
  Now {hero} and {friend} were [ | so | very] happy. | They <third:activity.past> and
  <activity.past> [all day | until dark]. | From that day on, {hero} and {friend} were [good |
  best] friends. | They went home [with a smile | and had some <food>].)"},
    {"learned", "", R"({Hero} [learned | knew] that it is [good | nice] to)"},

    // --- Eight plots.
    {"lost", "", R"(
  took {hero.his} <color:color> <toy:toy> to the <place>. {Hero.he} played with it all morning,
  but then {hero.he} [lost it | could not find it]. {Hero} looked <here:spot> and <there:spot>,
  but the {color} {toy} was not there. {Hero} <was_sad> <friend_came> <why_sad> "I lost my
  {color} {toy}," said {hero}. "I will help you look," said {friend}. {Friend} looked <spot>,
  and there was the {color} {toy}! <hero_thanks> <happy_end> <learned> [have a good friend | ask
  for help].)"},

    {"sharing", "", R"(
  went to the <place> with some <food:food> for lunch. {Hero} sat down <spot> to eat the {food}.
  <friend_came> {Friend} [was | looked] sad. "I [lost | forgot] my lunch," said {friend}, "and I
  am hungry." "You can have some of my {food}," said {hero}. So {hero} and {friend} [shared |
  ate] the {food}, and it was very good. <friend_thanks> <happy_end> <learned> [share | share
  your lunch].)"},

    {"baking", "", R"(
  wanted to bake a <baked:baked> for {hero.his} <kin:family>. {Hero.he} put milk, eggs and
  [sugar | butter | flour] in a big <color> bowl. But then {hero} [went out to play | fell
  asleep], and the {baked} burned. {Hero} <was_sad> <friend_came> <why_sad> "I burned the
  {baked}," said {hero}. "I will help you bake a new {baked}," said {friend}. They baked a new
  {baked}, and it smelled very good. "I love this {baked}!" said {hero.his} {kin}. <hero_thanks>
  <happy_end> <learned> [try again | work together].)"},

    {"rain", "", R"(
  went to the <place>. Then it [began | started] to rain, so {hero} opened {hero.his}
  <color:color> umbrella. <friend_came> {Friend} had no umbrella, so {friend.he} was wet and
  cold. "Come under my {color} umbrella," said {hero}. They stood under the {color} umbrella
  <spot>. [Soon | Then] the [rain stopped, and they saw a rainbow | sun came out, and {friend}
  was warm again]. <friend_thanks> <happy_end> <learned> [share | help a friend].)"},

    {"kite", "", R"(
  was at the <place> with a <color:color> <flyer:flyer>. The wind was strong, and the {color}
  {flyer} flew [into a tall tree | onto a roof]. {Hero} could not reach the {flyer}. {Hero}
  <was_sad> <friend_came> <why_sad> "I can not reach my {flyer}," said {hero}. "I will help you
  get it down," said {friend}. {Friend} found a long <reacher:reacher> <spot>. With the
  {reacher}, {friend.he} got the {color} {flyer} down. <hero_thanks> <happy_end> <learned> [have
  a good friend | ask for help].)"},

    {"giving", "", R"(
  went to the <place> and found <n:minus> <treasure:treasure>s <spot>. {Hero} put the {n}
  {treasure}s in a <color> bag. <friend_came> "I have {n} {treasure}s," said {hero}. "I have no
  {treasure}s," said {friend}, and {friend.he} looked sad. So {hero} gave {friend} {n.gave} of
  the {n} {treasure}s. Now {hero} had {n.left} {treasure}{n.s} and {friend} had {n.gave}
  {treasure}{n.t}. <friend_thanks> <happy_end> <learned> [share | give to a friend].)"},

    {"little_animal", "", R"(
  went to the <place> and found a little <color:color> <baby:baby> <spot>. The {baby} was [cold
  | lost | sick] and hungry. {Hero} took the {color} {baby} home and gave it some <food> and
  warm milk. Then {hero} made a bed for the {baby} in a box. The next day, the {baby} was well
  again. [<friend_came> "What a pretty {baby}!" said {friend}. They played with the {color}
  {baby} all day. | "Can the {baby} stay?" asked {hero}. "Yes," said {hero.his} <family>, "you
  are very kind."] From that day on, {hero} and the {color} {baby} were [good | best] friends.
  <learned> [be kind | help].)"},

    {"learning", "", R"(
  wanted to learn to <skill:skill>. {Hero} tried to {skill} at the <place>, but it was too hard.
  {Hero} <was_sad> <friend_came> <why_sad> "I can not {skill}," said {hero}. "I will help you
  learn to {skill}," said {friend}. They tried again and again, [all day | until dark]. [At last
  | Then] {hero} could {skill}! "Look, I can {skill}!" said {hero}. <hero_thanks> <happy_end>
  <learned> [try again | work hard].)"},
};

}  // namespace cria
