// The plots of the demo corpus: rules in the notation that demo_corpus.cpp explains. The plots
// share their sentences, and after a character's entrance pronouns stand where a name would do,
// because a small model learns to copy a name from far back much later than it learns to spell.
#pragma once

#include "prepare/demo_corpus_rule.h"

namespace cria {

inline constexpr DemoRule kDemoPlots[] = {
    {"story", "", R"(
  <opening> [<lost> | <sharing> | <baking> | <rain> | <kite> | <giving> | <little_animal> |
  <learning>])"},

    // --- Pieces that the plots share. The opening ends where the plot says what the hero did.
    {"opening", "", R"(
  [Once upon a time, there was | There once was] a <nature> <hero_noun> named {hero}. [ |
  <about>] <day>, {hero} | <day>, a <nature> <hero_noun> named {hero})"},
    {"hero_noun", "", R"(<hero:female.noun> | <hero:male.noun>)"},
    {"about", "", R"(
  {Hero.he} lived [ | with {hero.his} <family>] in a <color> house <home>. | {Hero.he} [loved |
  liked] to <first:activity> and <activity>.)"},
    {"day", "", R"(One [ | sunny | warm | fine | quiet | cool] [day | morning | afternoon])"},
    {"the_place", "", R"(the [ | big | pretty | quiet | little] <place>)"},
    {"friend_came", "", R"(
  [Soon | Then | Just then, | After a while,] [{hero.his} friend <friend:@hero.other> | a
  <nature> <friend:@hero.other.noun> named {friend}] came [by | along | over].)"},
    {"was_sad", "", R"({Hero.he} [was | felt] [ | so | very] [sad | upset].)"},
    {"why_sad", "",
     R"("[Why are you sad | What is wrong | What happened]?" {friend.he} asked <softly>.)"},
    {"softly", "", R"(| softly | kindly | at once | with a smile)"},
    {"hero_thanks", "", R"(
  "[Thank you | Thanks] [ | , {friend}]!" {hero.he} said. | {Hero.he} [thanked {friend.him} |
  gave {friend.him} a big hug].)"},
    {"friend_thanks", "", R"(
  "[Thank you | Thanks] [ | , {hero}]!" {friend.he} said. | {Friend.he} [thanked {hero.him} |
  gave {hero.him} a big hug].)"},
    {"happy_end", "", R"(
  They [were | felt] [ | so | very] [happy | glad]. | They <third:activity.past> and
  <activity.past> [all day | until dark]. | From that day on, they were [good | best] friends. |
  They went home [with a smile | and had some <food>].)"},
    {"learned", "", R"({Hero} [learned | knew] that it is [good | nice | best | right] to)"},

    // --- Eight plots.
    {"lost", "", R"(
  took {hero.his} <color:color> <toy:toy> to <the_place>. {Hero.he} played with it [all morning
  | for a while], but then {hero.he} [lost it | could not find it]. {Hero.he} looked <here:spot>
  and <there:spot>, but it was not there. <was_sad> <friend_came> <why_sad> "I lost my {toy},"
  {hero.he} said. "I will help you look," said {friend} <softly>. {Friend.he} looked <spot>, and
  there was the {color} {toy}! <hero_thanks> [<happy_end> | <learned> [have a good friend | ask
  for help].])"},

    {"sharing", "", R"(
  went to <the_place> with some <food:food> for lunch. {Hero.he} sat down <spot> to eat it.
  <friend_came> {Friend.he} [was | looked] sad. "I [lost | forgot] my lunch," {friend.he} said.
  "You can have some of my {food}," said {hero} <softly>. They ate the {food}, and it was [very
  good | sweet | warm]. <friend_thanks> [<happy_end> | <learned> [share | share with a friend].])"},

    {"baking", "", R"(
  wanted to bake a <baked:baked> for {hero.his} <family>. {Hero.he} put milk, eggs and [sugar |
  butter | flour] in a big <color> bowl. But then {hero.he} [went out to play | fell asleep],
  and the {baked} burned. <was_sad> <friend_came> <why_sad> "I burned the {baked}," {hero.he}
  said. "I will help you bake," said {friend} <softly>. They baked a new {baked}, and it smelled
  [sweet | very good]. <hero_thanks> [<happy_end> | <learned> [try again | work together].])"},

    {"rain", "", R"(
  went to <the_place>. Then it [began | started] to rain, so {hero.he} opened {hero.his} <color>
  umbrella. <friend_came> {Friend.he} had no umbrella and was wet and cold. "Come under my
  umbrella," said {hero} <softly>. They stood under the umbrella <spot>. Then the [rain stopped,
  and they saw a rainbow | sun came out, and {friend.he} was warm again]. <friend_thanks>
  [<happy_end> | <learned> [share | help a friend].])"},

    {"kite", "", R"(
  went to <the_place> with a <color> <flyer:flyer>. The wind was strong, and the {flyer} flew
  [into a tall tree | onto a roof]. <was_sad> <friend_came> <why_sad> "I can not reach my
  {flyer}," {hero.he} said. "I will help you get it down," said {friend} <softly>. {Friend.he}
  found a long [stick | rope | ladder] <spot> and got the {flyer} down. <hero_thanks>
  [<happy_end> | <learned> [have a good friend | ask for help].])"},

    {"giving", "", R"(
  went to <the_place> and found <n:minus> <treasure:treasure>s <spot>. {Hero.he} put the {n}
  {treasure}s in a <color> [bag | box]. <friend_came> "I have {n} {treasure}s," said {hero}. "I
  have no {treasure}s," said {friend}. So {hero.he} gave {friend.him} {n.gave} of the {n}
  {treasure}s. Now {hero.he} had {n.left} {treasure}{n.s} and {friend.he} had {n.gave}.
  <friend_thanks> [<happy_end> | <learned> [share | give to a friend].])"},

    {"little_animal", "", R"(
  went to <the_place> and found a little <baby:baby> <spot>. The {baby} was [cold | lost | sick]
  and hungry. {Hero.he} took the {baby} home and gave it some <food> and warm milk. Then
  {hero.he} made a bed for the {baby} in a <color> box. The next day, the {baby} was well again.
  "Can the {baby} stay?" {hero.he} asked <softly>. "Yes," said {hero.his} <family> <softly>.
  From that day on, {hero} and the {baby} were [good | best] friends. <learned> [be kind |
  help].)"},

    {"learning", "", R"(
  wanted to learn to <skill:skill>. {Hero.he} tried to {skill} at <the_place>, but it was too
  hard. <was_sad> <friend_came> <why_sad> "I can not {skill}," {hero.he} said. "I will help
  you," said {friend} <softly>. They tried again and again, [all day | until dark]. Then
  {hero.he} could {skill}! "Look, I can {skill}!" {hero.he} said. <hero_thanks> [<happy_end> |
  <learned> [try again | work hard].])"},
};

}  // namespace cria
