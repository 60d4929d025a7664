// The words of the demo corpus: rules in the notation that demo_corpus.cpp explains.
#pragma once

#include "demo_corpus_rule.h"

namespace cria {

// The hero and the friend are always a she and a he, so a pronoun never points at two characters.
inline constexpr DemoRule kDemoWords[] = {
    {"girl", "name he him his noun home other", R"(
  Lily/she/her/her/girl/house/boy | Anna/she/her/her/girl/house/boy |
  Mia/she/her/her/girl/house/boy | Sue/she/her/her/girl/house/boy |
  Rose/she/her/her/girl/house/boy | Emma/she/her/her/girl/house/boy |
  Kate/she/her/her/girl/house/boy | Zoe/she/her/her/girl/house/boy |
  Nora/she/her/her/girl/house/boy | Ivy/she/her/her/girl/house/boy)"},
    {"boy", "name he him his noun home other", R"(
  Tom/he/him/his/boy/house/girl | Ben/he/him/his/boy/house/girl | Sam/he/him/his/boy/house/girl
  | Max/he/him/his/boy/house/girl | Jack/he/him/his/boy/house/girl |
  Leo/he/him/his/boy/house/girl | Finn/he/him/his/boy/house/girl | Dan/he/him/his/boy/house/girl
  | Hugo/he/him/his/boy/house/girl | Owen/he/him/his/boy/house/girl)"},
    {"she_animal", "name he him his noun home other", R"(
  Poppy/she/her/her/pig/den/he_animal | Hazel/she/her/her/hen/den/he_animal |
  Dot/she/her/her/duck/den/he_animal | Molly/she/her/her/mouse/den/he_animal |
  Cleo/she/her/her/cat/den/he_animal | Vera/she/her/her/sheep/den/he_animal)"},
    {"he_animal", "name he him his noun home other", R"(
  Rusty/he/him/his/fox/den/she_animal | Billy/he/him/his/bear/den/she_animal |
  Duke/he/him/his/dog/den/she_animal | Freddy/he/him/his/frog/den/she_animal |
  Gus/he/him/his/goat/den/she_animal | Percy/he/him/his/rabbit/den/she_animal)"},
    {"family", "name", R"(mom | dad | grandma | grandpa | aunt | uncle)"},

    {"nature", "name", R"(
  kind | brave | happy | clever | funny | quiet | shy | gentle | busy | friendly | cheerful |
  polite | lively | smart | sweet | calm | merry | noble | patient | playful)"},
    {"sad", "name", R"(sad | upset | worried | unhappy | gloomy | glum)"},
    {"glad", "name", R"(happy | glad | proud | pleased | cheerful | joyful)"},
    {"color", "name", R"(
  red | blue | green | yellow | pink | purple | white | brown | black | gray | gold | silver |
  tan)"},
    {"look", "name", R"(
  big | small | tiny | shiny | pretty | new | nice | fine | neat | lovely | round | good)"},
    {"toy", "name", R"(
  ball | kite | doll | boat | drum | train | puppet | robot | truck | horn | teddy | wagon | top
  | whistle | rocket | bus)"},
    {"thing", "name", R"(
  cup | hat | bell | book | key | lamp | rope | spoon | brush | basket | map | ribbon | ring |
  comb | candle | sock | mitten | blanket | pen | bottle | flag | jar | bowl | pillow | fan |
  mug | pot | plate | bucket | box | chair | lantern)"},
    {"creature", "name", R"(
  cat | dog | hen | pig | cow | fox | frog | duck | goat | sheep | horse | deer | bear | mouse |
  rabbit | squirrel | turtle | bee | snail | crab | goose | swan | crow | beaver | lamb | mole |
  owl | pony | bat | toad | bird | moose)"},
    {"creature_look", "name", R"(
  fat | shy | tiny | big | slow | quick | small | sleepy | noisy | hungry | funny | proud | wet
  | lazy | young | gray | brown | white | black | spotted | clean | wise | strong | tall | loud
  | dirty | merry | pretty)"},
    {"food", "name", R"(
  bread | cheese | plums | pears | nuts | soup | candy | jam | rice | beans | corn | eggs |
  honey | grapes | cookies | carrots | berries | muffins | toast | peas | figs | apples |
  peaches | pancakes | fish | melon | ham | butter | salad | pudding | fudge | yogurt)"},
    {"garment", "name", R"(
  hat | scarf | coat | cap | sweater | shirt | jacket | vest | cape | hood | belt | tie)"},
    {"hat", "name", R"(hat | cap | hood | helmet | bonnet | scarf)"},
    {"coat", "name", R"(coat | sweater | shirt | jacket | vest | cape | robe | apron)"},
    {"activity", "name past", R"(
  sing/sang | dance/danced | run/ran | jump/jumped | hop/hopped | read/read | paint/painted |
  skip/skipped | climb trees/climbed trees | pick flowers/picked flowers | tell jokes/told jokes
  | play ball/played ball | count clouds/counted clouds | play tag/played tag | roll down
  hills/rolled down hills | draw/drew | clap/clapped | cook/cooked | spin/spun | hum/hummed |
  whisper/whispered | march/marched | look for bugs/looked for bugs | blow bubbles/blew bubbles)"},
    {"nook", "name", R"(
  bed | door | table | shed | gate | barn | bush | wall | tree | bench | stairs | well | box |
  chair | fence | rock | bridge | cart | pump | sign | post | bucket | ladder | barrel)"},
    {"outdoors", "name", R"(
  shed | gate | barn | bush | wall | tree | bench | well | fence | rock | bridge | cart | pump |
  sign | post | ladder | barrel | mill)"},
    {"place", "name", R"(
  park | river | forest | lake | meadow | market | hill | beach | farm | pond | garden | field |
  mill | bridge | school | cave | harbor | castle)"},
    {"wild", "name", R"(park | river | forest | lake | meadow | hill | beach | pond)"},
    {"fruit", "name", R"(apple | pear | plum | orange | fig | nut | lemon | melon)"},
    {"treasure", "name", R"(shell | stone | feather | button | flower | coin | stick | acorn)"},
    {"flavor", "name", R"(
  carrot | lemon | berry | plum | honey | pumpkin | cherry | banana | nut | peach)"},
    {"baked", "name", R"(cake | pie | tart | loaf | bun | muffin)"},
    {"ingredient", "name", R"(
  flour | sugar | milk | butter | eggs | honey | salt | cream | water | nuts | jam | oil)"},
    {"skill", "name", R"(
  skate | whistle | swim | juggle | ski | row a boat | ride a bike | tie a bow | fly a kite |
  spin a top | write a letter | bake bread | play the drum | read a map | sew a button | knit)"},
    {"plant", "name", R"(
  pumpkin | sunflower | tulip | cabbage | daisy | cherry tree | melon | plum tree)"},
    {"baby", "name", R"(bird | kitten | puppy | turtle | lamb | bunny | duckling | chick)"},
    {"fine", "", R"(big | fine | tall | pretty | lovely)"},
    {"weekday", "name", R"(Sunday | Monday | Tuesday | Wednesday | Thursday | Friday | Saturday)"},
    {"load", "name", R"(cart | wagon | sled | bike | barrow | wheel)"},
    {"container", "name", R"(bag | box | basket | bucket | bowl | sack)"},
    {"mishap", "name mended", R"(
  broke/fixed | broke in two/fixed | fell in the mud/cleaned | fell in the water/dried)"},
    {"drink", "name", R"(milk | tea | soup | cocoa)"},

    // Arithmetic is in the tables: had, gave and what is left with its plural ending; had, found
    // and the sum.
    {"minus", "had gave left s", R"(
  three/one/two/s | three/two/one/ | four/one/three/s | four/two/two/s | four/three/one/ |
  five/one/four/s | five/two/three/s | five/three/two/s | five/four/one/ | six/two/four/s |
  six/three/three/s | six/four/two/s)"},
    {"plus", "had found sum", R"(
  two/one/three | two/two/four | two/three/five | two/four/six | three/one/four | three/two/five
  | three/three/six | three/four/seven | four/one/five | four/two/six | four/three/seven |
  four/four/eight)"},
};

}  // namespace cria
