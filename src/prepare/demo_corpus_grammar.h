// The grammar of the demo corpus, in the notation that demo_corpus.cpp explains.
#pragma once

#include <string_view>

namespace cria {

struct DemoRule {
  std::string_view name;
  std::string_view fields;  // names of the '/'-separated fields of each alternative; "" for none
  std::string_view body;    // alternatives separated by '|'
};

inline constexpr DemoRule kDemoRules[] = {
    // --- Words. The hero and the friend are always a she and a he, so a pronoun never points at
    // both. No two names begin alike: the first letter tells the rest.
    {"female", "name he him his noun other", R"(
  Lily/she/her/her/girl/male | Mia/she/her/her/girl/male | Rose/she/her/her/girl/male |
  Kate/she/her/her/girl/male | Poppy/she/her/her/pig/male | Dot/she/her/her/duck/male)"},
    {"male", "name he him his noun other", R"(
  Ben/he/him/his/boy/female | Gus/he/him/his/boy/female | Jack/he/him/his/boy/female |
  Vic/he/him/his/boy/female | Zip/he/him/his/dog/female | Freddy/he/him/his/fox/female)"},
    {"family", "name", R"(mom | dad | grandma | grandpa)"},

    {"nature", "name",
     R"(little | kind | brave | happy | clever | funny | shy | gentle | cheerful | sweet | calm)"},
    {"color", "name", R"(red | blue | green | yellow | white)"},
    {"home", "name", R"(by the sea | by the river | near the woods | on a hill)"},
    {"place", "name",
     R"(park | river | lake | beach | farm | garden | forest | pond | hill | market)"},
    {"spot", "name", R"(
  under a tree | under a bush | behind a rock | behind a wall | near the gate | near a bench |
  by the bridge | by the fence | in the grass | on the path)"},

    {"activity", "name past", R"(
  sing/sang | dance/danced | run/ran | jump/jumped | laugh/laughed | play ball/played ball |
  climb trees/climbed trees | tell stories/told stories)"},
    {"skill", "name", R"(
  swim | skate | whistle | juggle | ride a bike | row a boat | fly a kite | climb a tree)"},
    {"toy", "name", R"(ball | doll | boat | drum | train | robot | wagon)"},
    {"flyer", "name", R"(kite | balloon | hat | ball)"},
    {"treasure", "name", R"(shell | flower | nut | apple | plum)"},
    {"food", "name", R"(bread | cheese | soup | pie | corn | rice)"},
    {"baked", "name", R"(cake | pie | tart | pizza)"},
    {"baby", "name", R"(bird | kitten | puppy | rabbit | mouse | turtle)"},

    // Arithmetic is in the table: had, gave, what is left, and the ending of its plural.
    {"minus", "had gave left s", R"(
  two/one/one/ | three/one/two/s | three/two/one/ | four/one/three/s | four/two/two/s |
  five/two/three/s | five/three/two/s | six/three/three/s)"},

    // --- The plots share their sentences, and after a character's entrance pronouns stand where a
    // name would do, because a small model learns to copy a name from far back much later than it
    // learns to spell.
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
