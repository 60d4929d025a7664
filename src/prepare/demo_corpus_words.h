// The words of the demo corpus: rules in the notation that demo_corpus.cpp explains.
#pragma once

#include "prepare/demo_corpus_rule.h"

namespace cria {

// The hero and the friend are always a she and a he, so a pronoun never points at two characters.
// No two names begin alike: the first letter tells the rest.
inline constexpr DemoRule kDemoWords[] = {
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
};

}  // namespace cria
