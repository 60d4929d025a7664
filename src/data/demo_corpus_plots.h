// The plots of the demo corpus: rules in the notation that demo_corpus.cpp explains.
#pragma once

#include "demo_corpus_rule.h"

namespace cria {

inline constexpr DemoRule kDemoPlots[] = {
    {"story", "", R"(
  <opening> [<lost> | <sharing> | <helping> | <rain> | <snow> | <wind> | <trip> | <baking> |
  <quarrel> | <giving> | <finding> | <birthday> | <night> | <learning> | <garden> |
  <little_animal>])"},

    // --- Pieces that several plots share.
    {"opening", "", R"(
  [Once upon a time, there [was | lived] | Once there was | There once was | Long ago, there
  [was | lived]] a [<nature> | <nature> little | <nature> young | <nature> and <nature>]
  <hero_noun> named {hero}. <about> | <hero_name> was a [<nature> | <nature> little | <nature>
  young | <nature> and <nature>] {hero.noun}. <about>)"},
    {"hero_noun", "", R"(
  <hero:girl.noun> | <hero:boy.noun> | <hero:she_animal.noun> | <hero:he_animal.noun>)"},
    {"hero_name", "", R"(<hero:girl> | <hero:boy> | <hero:she_animal> | <hero:he_animal>)"},
    {"about", "", R"(
  {Hero.he} lived [ | with {hero.his} <family>] in <@hero.home>. | {Hero.he} [loved | liked] to
  <activity> [ | , <activity>] and <activity>. | {Hero.he} had a <look> <color> <thing> and a
  <look> <color> <thing>. | {Hero.his} [best friends | neighbors] were <animal> and <animal>.)"},
    {"house", "", R"(
  a [small | white | yellow | tall | cozy | pretty | red | green] house [near | by | behind] the
  [park | sea | river | school | lake | market | mill | church])"},
    {"den", "", R"(
  a [small | warm | dry | brown | cozy | quiet] [hut | cabin | barn | cottage] [near | by |
  behind] the [pond | hill | woods | river | farm | oak tree | mill | lake])"},
    {"animal", "", R"(
  <plain_animal> [ | in a <color> <garment> | with a [ | <look>] <color> <thing> | eating
  <food>])"},
    {"plain_animal", "", R"(a <creature_look> <creature>)"},
    {"day", "", R"(
  One [ | sunny | warm | bright | cool | fine | quiet | busy | mild | lovely | clear | pleasant]
  [ | <weekday>] [morning | afternoon])"},
    {"lead", "", R"(
  Then | Soon | Next, | Just then, | After that, | After a while, | A little later, | Before
  long, | Later, | At last, | In a little while,)"},
    {"she", "", R"({hero} | {hero.he})"},
    {"She", "", R"({Hero} | {Hero.he})"},

    {"friend_in", "", R"(
  {hero.his} [ | good | dear | old] friend <friend:@hero.other> | a [ | <nature>]
  <friend:@hero.other.noun> named {friend})"},
    {"softly", "", R"(
  | softly | quietly | at once | gently | slowly | right away | in a low voice | in a small
  voice | politely | after a moment | shyly)"},
    {"gladly", "", R"(
  | happily | loudly | with a smile | with a laugh | cheerfully | at once | right away |
  joyfully | merrily | brightly | with a big smile)"},
    {"spot", "", R"(
  [near | behind | by | beside | next to | in front of] the [big | old | small | little | white
  | brown | gray | new | red | green | blue | yellow] <nook>)"},
    {"outside", "", R"(
  [near | behind | by | beside | next to | in front of] the [big | old | small | little | white
  | brown | gray | new | red | green | blue | yellow] <outdoors>)"},
    {"on_the_way", "", R"(
  On the way, <she> [saw | met | passed | waved to | said hello to | smiled at] [<animal> |
  <plain_animal> <outside> | <animal> and <animal>].)"},
    {"walk", "", R"(<on_the_way> | <She> wore a <color> <hat> and a <color> <coat>.)"},
    {"they_saw", "", R"(
  <lead> they [saw | met | played with | talked to] [<animal> | <plain_animal> <outside> |
  <animal> and <animal>]. | They ate <food>, <food> and <food> <outside>. | They
  <activity.past>, <activity.past> and <activity.past>, and [then | after that] they
  <activity.past>. | "Look, <animal> and <animal>!" said [{hero} | {friend}] <gladly>.)"},
    {"animal_came", "", R"(
  A <creature_look> <creature> [ | and <animal>] came to [look | see | watch | help].)"},
    {"learned", "", R"(
  {Hero} [learned | knew | saw | found out] that it is [good | fun | nice | best | great | wise
  | lovely | right])"},
    {"what_is_wrong", "", R"(
  "[What is wrong | Why are you sad | Are you [sad | all right] | What happened]?" asked)"},
    {"thank_you", "", R"(
  "[Thank you | Thanks] [ | , {friend} | so much]!" said {hero} <gladly>. | {Hero} hugged
  {friend} and gave {friend.him} a <color> <thing>. | {Hero} thanked {friend} and gave
  {friend.him} <food>, <food> and <food>.)"},
    {"happy_end", "", R"(
  {Hero} [was | felt] [ | so | very] <glad> and <glad>. | [From that day on | After that | From
  then on], {hero} and {friend} [were always together | <activity.past> and <activity.past>
  every <weekday>]. | They <activity.past>, <activity.past> and <activity.past> until [the sun
  went down | it was dark | dinner | bedtime]. | They went home <glad> and ate <food>, <food>
  and <food>. | [That night | That evening | At bedtime], {hero} [dreamed of <animal> and
  <animal> | told {hero.his} <family> about <animal> | ate <food> and <food> and fell asleep].)"},

    // --- Sixteen plots.
    {"lost", "", R"(
  {Hero} had a <look> <color:color> <toy:toy>. [It was a gift from {hero.his} <family>. |
  {Hero.he} [took | carried] it everywhere. | {Hero.his} <family> had [made | painted] it for
  {hero.him}.] <day>, [the {toy} was gone | <she> could not find the {toy} | <she> lost the
  {toy}]. {Hero} looked <spot> and <spot>, but all {hero.he} found was a <color> <thing>. {Hero}
  [was | felt] [ | so | very] <sad>. <lead> <friend_in> came [by | along | over].
  <what_is_wrong> {friend} <softly>. "I lost my {toy}," said {hero} <softly>. They looked
  <spot>, <spot> and <spot>. <lead> [{friend} | {hero}] [saw | found] the {color} {toy} <spot>.
  <thank_you> [<happy_end> | <learned> to [have a [good | true] friend | look for things
  together].])"},

    {"sharing", "", R"(
  <day>, {hero} [went | walked | ran] to the <place>. In a <color> <container> {hero.he} had
  <food:food>, <food> and <food>. <walk> <lead> <she> [saw | met] <friend_in>. {Friend} [was |
  looked] <sad>. <what_is_wrong> {hero} <softly>. "I [forgot | lost | dropped] my <food> and my
  <food>," said {friend} <softly>. "[Please have | Take] some of my {food}," said {hero}
  <gladly>. They ate the {food} with <plain_animal> <outside>. <they_saw> "[You are so kind |
  Thank you for sharing]!" said {friend} <gladly>. [<learned> to share [ | with a friend | your
  food]. | <happy_end>])"},

    {"helping", "", R"(
  <day>, {hero} [went | walked | ran] to the <place>. <walk> <lead> <she> [saw | met]
  <friend_in>. [<stuck> | <too_high> | <too_heavy>] "[You are so kind | You are so clever |
  Thank you]!" said {friend} <gladly>. <they_saw> [<learned> to [help | help a friend | be
  kind]. | <happy_end>])"},
    {"will_you_help", "", R"(
  "[Can | Will] you help me?" asked {friend} <softly>. "[Yes | Of course | Sure]!" said {hero}
  <gladly>.)"},
    {"stuck", "", R"(
  {Friend.his} <color> <load:load> was stuck in the [mud | sand | grass] <outside>.
  <will_you_help> {Hero} [pushed, {friend} pulled | pulled, {friend} pushed], and <plain_animal>
  helped. <lead> the {load} [moved | was free].)"},
    {"too_high", "", R"(
  {Friend.his} <color> [<toy:toy> | <toy:garment>] was [in a tree | on a wall | on the roof].
  <will_you_help> {Hero} [found | got] a <look> <color> [stick | ladder | rope | pole] <outside>
  and [got | brought] the {toy} down.)"},
    {"too_heavy", "", R"(
  {Friend} had a <color> <load:load> full of <food>, <food> and <food>, and it was too heavy.
  <will_you_help> <animal_came> Together they [pushed | pulled] the {load} to the <place>.)"},

    {"rain", "", R"(
  <day>, it rained, so the [road | grass | street | path] was wet. {Hero} put on a <color>
  <coat> and took a <color:color> umbrella. <on_the_way> <lead> <she> saw <friend_in> <outside>.
  {Friend} had no [umbrella | coat | hat | cap | hood | cape], so {friend.he} was [cold | wet |
  cold and wet]. {Hero} [shared | held] the umbrella and gave {friend.him} a <color> <garment>.
  They had [warm | hot] <drink>, <food> and <food>. <lead> the rain stopped and [the sun came
  out | they saw a rainbow]. <they_saw> [<learned> to [share | help a friend | have a friend]. |
  <happy_end>])"},

    {"snow", "", R"(
  One [cold | winter | gray | dark] [day | morning], it snowed, so the <place> was white. {Hero}
  put on a <color> <hat> and a <color> <coat> and [ran | went] out. <lead> <she> met
  <friend_in>. "Let us [make | build] a <look> snow <creature>," said [{hero} | {friend}]
  <gladly>. They gave it a <color> <garment>, a <color> <thing> and a <color> <thing>. It looked
  [<glad> | <sad> | funny]. <they_saw> Soon they were cold, so they had [warm | hot] <drink>,
  <food> and <food>. <happy_end>)"},

    {"wind", "", R"(
  <day>, the wind was strong, so {hero} [took | got] a <color:color> kite and [ran | went] to
  the <wild>. <walk> The kite flew like <plain_animal>. [But then | All at once] the string
  broke! {Hero} ran past <animal> and <animal>. The {color} kite came down <outside>, and there
  {hero} met <friend_in>. "Is this yours?" asked {friend} <softly>. "Yes!" said {hero} <gladly>.
  {Friend} tied a <look> <color> [string | ribbon | rope] to it. <thank_you> [<happy_end> | They
  took turns with the kite [all day | until dark | and ate <food> and <food>].])"},

    {"trip", "", R"(
  <day>, {hero} and {hero.his} <kin:family> went to the <where:place> by [bus | train | car |
  boat | bike | cart]. They took <food>, <food:food> and <food>. "[Are we there yet | Is it
  far]?" asked {hero} <softly>. "[Almost | Soon | Not yet]," said {hero.his} {kin}. At the
  {where} they saw <animal>, <animal> and a <creature_look> <pet:creature>. [They ate the {food}
  <outside>. | The {pet} wanted the {food}, so {hero} gave it some.] {Hero} found a <look>
  <color> <treasure:treasure> <outside> and [kept it | put it in a <color> <container> | gave it
  to {hero.his} {kin}]. [At last | In the evening | Later], they went home. [That night | In bed
  | At bedtime], {hero} was <glad> and [dreamed of | talked about] the [{pet} | {treasure} |
  {pet} and the {treasure}].)"},

    {"baking", "", R"(
  <day>, {hero.his} <kin:family> [was sick | was sad | had a birthday | came to visit], so
  {hero} baked a <flavor:flavor> <baked:baked>. {Hero.he} put <ingredient>, <ingredient>,
  <ingredient> and <ingredient> in a <color> bowl and mixed it with a <look> <color> spoon. [The
  kitchen smelled [good | sweet | great]. | The first {baked} burned, so {hero} made a new one
  with <ingredient> and <ingredient>.] <lead> <friend_in> came [by | along | over] with <food>,
  <food> and <food>. "[What a good {baked} | I love {flavor} {baked}]!" said {hero.his} {kin}
  <gladly>. They ate the {baked} with <plain_animal> and <plain_animal> <outside>. [<happy_end>
  | <learned> to [bake | bake for others | bake a {baked}].])"},

    {"quarrel", "", R"(
  <day>, {hero} and <friend_in> were playing near the <place>. <they_saw> [But then | Then] they
  both wanted the same <look> <color:color> <toy:toy>. "It is mine!" said [{hero} <angrily>.
  "No, mine!" said {friend} | {friend} <angrily>. "No, mine!" said {hero}] <angrily>. They
  pulled, and the {toy} <mishap:mishap>. {Hero} went [home | away] and ate <food> and <food>,
  but {hero.he} was [still | so | very] <sad>. On <weekday>, {hero} came back with a <look>
  <color> <thing> for {friend}. "I am sorry," said {hero} <softly>. They {mishap.mended} the
  {toy} with a <color> [cloth | string | ribbon | brush]. [<learned> to [share | say sorry |
  take turns | be kind]. | <happy_end>])"},
    {"angrily", "", R"(| loudly | at once | angrily | in a loud voice)"},

    {"giving", "", R"(
  <day>, {hero} had <n:minus> <fruit:fruit>s. {Hero.he} [picked them <outside> | got them from
  {hero.his} <family> | bought them at the market]. <walk> <lead> <she> [met | saw] <friend_in>.
  {Friend} [was | looked] <sad>. ["Would you like some?" asked {hero} <gladly>. "Yes, please!" |
  "Do you like {fruit}s?" asked {hero} <gladly>. "Oh, yes!"] said {friend} <gladly>. {Hero} had
  {n} {fruit}s and gave {n.gave} to {friend}. Now {hero} had {n.left} {fruit}{n.s}. {Friend}
  [smiled | laughed] and gave {hero} a <look> <color> <thing>. <they_saw> [<happy_end> |
  <learned> to [give | share | give to a friend].])"},

    {"finding", "", R"(
  <day>, {hero} went to the <wild> to look for <treasure:treasure>s. {Hero.he} looked <outside>
  and <outside>, and {hero.he} found <n:plus>. <She> put them in a <color> <container>. <lead>
  <she> met <friend_in>. "I have {n} {treasure}s," said {hero} <gladly>. They looked <outside>
  and saw <animal> and <animal>. <lead> they found {n.found} more. Now they had {n.sum}
  {treasure}s. [They made a <look> [ring | heart | <creature>] with them. | They gave them to
  {hero.his} <family> for <food> and <food>.] [<happy_end> | <learned> to [look for things
  together | work together | have help].])"},

    {"birthday", "", R"(
  <day>, it was {hero.his} birthday. {Hero.his} <kin:family> gave {hero.him} a <look> <color>
  box. "[Open it | Look inside | Guess]!" said {hero.his} {kin} <gladly>. Inside was a <look>
  <color:color> <toy:toy> and a <color> <garment>! "[I love it | It is so <look>]!" said {hero}
  <gladly>. <lead> <friend_in> came with a <flavor> <baked:baked> and a <color> <thing>. They
  ate the {baked}, <food> and <food> <outside>. <they_saw> [It was the best birthday ever. |
  <happy_end> | That night {hero} dreamed of the {color} {toy}.])"},

    {"night", "", R"(
  One [dark | cold | quiet | windy] night, {hero} [could not sleep | woke up]. {Hero.he} heard a
  [strange | loud | soft] noise <spot>. {Hero} was [afraid | scared] and [hid under a <color>
  blanket | called {hero.his} <family> | held a <color> <toy> tight]. "[Who is there? | What is
  that? | Go away!]" whispered {hero} <softly>. <lead> <she> put on a <color> <garment>, took a
  <look> <color> [lamp | candle | light] and went to look. It was only <noise>! {Hero} [laughed
  | smiled] and dreamed of <animal> and <animal>. [The next day {hero} told <friend_in> about
  it, and they <activity.past> and <activity.past>. | <learned> to be [brave | calm | brave at
  night]. | In the morning {hero} was <glad> and ate <food>, <food> and <food>.])"},
    {"noise", "", R"(
  <animal> and <animal> | a [little | tiny | lost] <color> <baby> in a <color> <container> | a
  [branch | rope | bell] in the wind | rain on a <color> <load>)"},

    {"learning", "", R"(
  {Hero} wanted to learn to <skill:skill>. <day>, {hero.he} put on a <color> <hat> and a <color>
  <coat> and tried, but it was too hard. {Hero} [was | felt] [ | so | very] <sad> and ate <food>
  and <food>. <lead> <friend_in> came [by | along | over] with <plain_animal>. "[Do not give up
  | Try again | I will help you]," said {friend} <softly>. {Hero} tried again <outside> and
  <outside>. <animal_came> [At last | On <weekday>] {hero} could {skill}! "[Look at me | I can
  do it | I did it]!" {hero.he} shouted <gladly>. {Friend} [clapped | cheered] and gave
  {hero.him} a <look> <color> <thing>. [<learned> to [try again | work hard | have a friend]. |
  <happy_end>])"},

    {"garden", "", R"(
  In the spring, {hero} planted a <color> seed <outside>. Every [day | morning | <weekday>]
  <she> gave it water with a <color> [can | cup | bucket | jar]. Nothing grew, and {hero.he} was
  [ | very] [sad | upset | unhappy]. "[Wait | Do not give up | It takes time]," said {hero.his}
  <family> <softly>. On <weekday>, {hero} saw a [small | tiny] [green | red] leaf. By [summer |
  fall] it was a <fine> <plant:plant>. <animal_came> <lead> <friend_in> [came [by | along |
  over] with <plain_animal>]. "[How <fine> | It is so <fine>]!" said {friend} <gladly>. {Hero}
  gave {friend} [a <color> seed | <food>, <food> and <food>]. <they_saw> [<learned> to [wait |
  grow things | work hard]. | <happy_end>])"},

    {"little_animal", "", R"(
  <day>, {hero} [saw | found] a [little | tiny | small] <color:color> <baby:baby> <outside>. It
  was [hurt | cold | wet | hungry | lost | sick | alone]. {Hero.he} took it home and gave it
  <food>, <food> and <food>. Then <she> made a bed for the {baby} with a <color> <garment> and a
  <color> [blanket | pillow | towel]. {Hero.his} <family> gave it a <look> <color> <thing>. On
  <weekday>, the {baby} [felt better | was well again]. <lead> it [played with | ran to]
  <animal> and <animal>. [{Hero} found its mother <outside>, and the {baby} was <glad>. | It had
  no home, so it stayed with {hero}.] [From that day on | After that | From then on], {hero} and
  the {color} {baby} [were always together | <activity.past> and <activity.past> every
  <weekday>].)"},
};

}  // namespace cria
