// Unicode 9.0.0: what Normalization Form C composes and takes apart, packed as
// tools/scripts/unicode_nfc.py says, which made it.
#pragma once

namespace cria {

inline constexpr char kCanonicalParts[] = R"(
]=SIr5(#%(#%(#%(#-(#'+'R/('RB(#%(#%(#/(+2(#%(#%(#/+-,(%((#%(#%(#%(#-./2(#%(#%(#/(+0.3$(#%(#%(#%(#-(#
'+'R/('RB(#%(#%(#/(+2(#%(#%(#/+-,(%((#%(#%(#%(#-./2(#%(#%(#/(+0+#1(S6*(R5#(R4'(R5#(R4R9(R5#(R0RB(R5#
(R4%(R5#(R4-(R5#(R4-(R5#(R2#(R5#.R22(R5#(R4'(R5#(R4%(R5#(R4R7(R5#(R4R,(R5#(R06(R5#(R4+(R5#(R4%(R5#(R
4R5(R5#(R2R>(R5#.R2%(R5#(R4%(R5#(R4'(R5#(R4R9(R5#(R4R61%,(R5#(R2R?(R5#+R2R@(R5#(R4RA(R5#(R4R*(R5#4R0
8(R5#(R4RA(R5#(R4R*(R5#1R22(R5#(R4'(R5#(R4-(R5#.R.6(R5#(R4RA(R5#(R4R*(R5#(R28(R5#(R4%(R5#(R4R?(R5#(R
4R*(R5#(R2R+(R5#(R4R*(R5#.R24(R5#(R4%(R5#(R4'(R5#(R4+(R5#(R4%(R5#(R4R/(R5#(R0R@(R5#(R0#(R5#(R4/(%0(R
5#(R4/(R5#(R4-(R5#S/RJA(R5#OR(#(R5#RNS.@(R5#(R$#(R5#(R(#(R5#(R(#(R5#(U92(R5#(R4((R5#(R49(R5#(R4:(R5#
+S6+(R5#(_##(%#(`2#(R5#.WL3(R5#(R,#(R5#(R,R-(R5#(a9R<(%#(S.3(Z;#(hP#1R:8(R5#.R&$(R5#(TG%(R5#(R2#(R5#
(>#(R5#(XN?(R5#(R4'(R5#(R,&(R5#(R4'(R5#(R,&(R5#(R4'(R5#(R(&(R5#(R4'(R5#(R.&(R5#(R4'(R5#(R.&(R5#(R4'(
R5#(R8M(R5#(R2#(R5#.RLR((R5#:RB,(R5#(R,R5(R5#(UMR:(R5#(R6#(R5#(X,)(R5#(d7((%#(e6#(R5#b<m)&%)G'8(T)T6
AlD:UE#(q5#&pD(pM#('#('#+/#+/#(+#(R7#RES(1(;#(;0(+#('#('#(G#REF1(;#(.0(/#(+#45#(#1SMSM2(#3+&01<14K0(
&$(9/F8#S)R5#R<(.(#3+&01R;14R,0(&$(9/R?S)5(%#UKU(4(R5#OR@#(R5#(R4'(R5#.R*&(R5#.X''(%#(Y8#(R5#(R2#(R5
#.R2*(R5#(R4+(R5#(R(#(R5#.X5#(%#(Y*#(R5#(RH*(R5#(R4+(R5#(R4)(R5#(R,((R5#.R,#(R5#d6eCuA(#%(R7#(R6%(R;
$['W%#+J#R*E#x%k#q3=3#.)#S4R0#'%#'%#'-#'-#'%#'5#'+#X'W?VA(#R'R&R@R*'%#*=#V:VCV=-/#S1R8#'%#'-#-A#`1]3
]/.#R$(#R'R&R@R*'%#T@UKWET=S/R&(%#($R'Y)V=V;XKV/V;:1#(#%+#J(+IY2V5U=(%#($R'Z1W5V#+#-(),((Mh1`Ce;B7#3
-#3-#3-#KR*&BS)SL*#''SI;*%#?SJ#R,R7S5B7#3-#3-#3-#KR*&X*W9V/T|?Sn%SoE+'#+'#+'#+'#1+#SDRG#+'#.'#(%#+)#
~FWi<VvH(R5#(R2R0(R5#(R4R-(R5#(R4?(R5#(U5S&(R5#(X&/(R5#(R4R-(R5#(R4?(R5#(R46(R5#(R4/(R5#(X=RN(%#($%(
%#(YNRM(R5#(R4)(R5#(d?RH(%#(eP%(R5#(R2((R5#(R2)(R5#(R4R-(R5#(R4R*(R5#(R4R3(R5#(R41(R5#(R2'(R5#(U7S$(
R5#(X(#(R5#(R4R9(R5#(R4?(R5#(R2>(R5#(XZ=R2(%#(X[PRO(R5#(R4*(R5#(R2RL(R5#(R4/(R5#(R4R-(R5#(R2R,(R5#(R
4R-(R5#(R4?(R5#(R4*(R5#(U9RL(R5#(R41(R5#(TG2(%#($%(%#([P#(R5#(R4/(R5#(R0#(R5#(R4R-(R5#(X[KR2(%#(X]0R
O(R5#(R2RH(R5#(R4R-(R5#([%R,(%#(-#(%#(XQI#(%#(X]<#(R5#(R4R-(R5#(R4?(R5#(R4*(R5#(R24(R5#(R4;(R5#(R4((
R5#([=RL(%#(%1(%#(]$,(R5#(R4R5(R5#(R2R:(R5#(R4%(R5#(R41(R5#(R4$(R5#(R4R-(R5#(R2R,(R5#(R4%(R5#(R2$(R5
#(R2,(R5#(R4R7(R5#(R4?(R5#(F#(;RF()'('#+\5(4^HR-(R5#(R4R((R5#(U-2(R5#(R4$(R5#(R45(R5#(R4.(R5#(XZ%$(%
#(XXB$(%#($$(%#($5(%#($.(%#(XX?)(%#(X`LR/(R5#(R4R((R5#(R4.(R5#(U5&(R5#(R4$(R5#(R45(R5#(R4.(R5#(XZE$(
%#(XaF1(R5#(R4R)(R5#(R(#(R5#(R4R((R5#(U52(R5#(R4$(R5#(R45(R5#(R4.(R5#(X[+$(%#(XSD$(%#($$(%#($5(%#($.
(%#($R5(%#(_6#(R5#(R4R((R5#(^A2(%#($$(%#($5(%#($.(%#($R5(%#(_LR:(R5#(R4R;(R5#(R4R((R5#(R4.(R5#:tIC(#
%(WlOJ(%#($%(%#($SI(%#(Wn4S$(#%(WnCJ(%#($%(%#($SI(%#(Wm*S$(#%(Wm9J(%#($%(%#.WnLG(#%(Wo-J(%#($%(%#.Wm
FG(#%(Wn'J(%#($%(%#($SI(%#(Wo:S$(#%(WoIJ(%#($%(%#($SI(%#(Wn4S$(#%(WnCJ(%#($%(%#($SI(%#(Wp(S$(#%(Wp7J
(%#($%(%#($SI(%#(WnHS$(#%(Wo)J(%#($%(%#.Wp<G(#%(WpKJ(%#($%(%#.Wo.G(#%(Wo=J(%#($%(%#($SI(%#+WpPRP+Wq3
J+#%+#SI(WoFS$(#%(Wp'J(%#($%(%#($SI(%#(Wq:S$(#%(WqIJ(%#($%(%#($SI(%#(Wq:SJ&,(5#&2(7#&4(9#&6(C#&=(0#&
3(*#&-.WkCT#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(E#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(
%#(%#(S)#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(%#(WqFSD(#&(WqISI(WqH#(,#+-((WtK)(Wv.SD(#&(#*&8(
9T#)RE.s(((XeG)(WqD#(4#+5((Wu1)(WvFSP&<(A#&>(?T#(Wv5SP(#%(#SI(WtLS>(#&(E*&S:.RGSK(E#(S(S>(#&(#*&@+Wy
C#(#%(#SI(Ww(S>(#&(/*&R*(EI(#%(+S#(/#(R@S>(#&(#*&P(IK(r&J&pK&sP.Xi/T#(Wq0#(-#+,((Wv?)(Wx6SP&H(R/#&R(
(R)T#&qL,Xk7&%d(Wx</v8&V1X0X|#<('#R0'#S&S?#(+#(&#T:S)#4-#.)#R?R%#+'#RHR##.1#.'#+)#R<Y[L#+Y]##FJ#(Y\*
#('#(Y]'#(%#.=#(%#.)#(%#:)#(%#.1#(%#.)#(%#S2R+#(/#(%#('#T.S$#(%#(K#(%#:R5#(%#(%#(%#TMT[1&%Su:R\<#R}I
R_7[~'+'#+'#+'#+'#+'#+'#+'#+'#+'#+'#+'#.)#+'#+'#:1#(#%+)$(#%+)$(#%+)$(#%+)$(#%R<S0$CTG#O?#+'#+'#+'#+
'#+'#+'#+'#+'#+'#+'#+'#.)#+'#+'#:1#(#%+)$(#%+)$(#%+)$(#%+)$(#%R<S0$.T+#(%#(%#(%#19#Rkl/gU)&ZR8&Zn5&g
2&X\:&Xz&&Rb7&c_E&#&bQ4&^oK&_l$&zG&SU?&U|?&SZ5&RmK&a9&^I&Rw9&Z`&&s9&zA&r?&T}-&TYA&SSM&c\>&RZ'&Vq-&Rq
M&Ux5&Vu9&`p0&Uh'&V^=&xO&Z`B&XhC&RhK&[Q$&SQ5&Ri5&Ra#&XZM&`u>&i5&]I&U`-&Rf7&Rs=&RXK&SZ1&Rf#&TE&Rw1&S\
'&RR+&m1&ZS>&[=&~O&Rg=&Tp;&StG&UsH&]U(&Rg5&XUG&~I&Td$&Rj1&Uw/&Sf?&`R6&x5&T_5&{%&^7&Td-&\9&Vw#&a_P&\S
M&\^>&B&ZsC&y7&Rh#&Ug'&SnN&ZwL&Rs)&X~)&_q4&T_/&RQ5&Uq=&f/&Y_0&ZXE&Z}N&Tx)&U\P&Xe-&Rt<&Vr5&[Q8&RV/&Xd
#&TZI&Rj#&Xg2&Yq/&Yh0&S_*&Xr'&Xk$&U^G&ZaL&o5&U+&VgK&U|%&R`=&SR3&RpG&`Z<&_9&R\G&R_M&Ro-&SfG&S['&Wz3&R
WE&RQ9&S5&ce(&Uy9&RW-&YpG&\w>&s?&UK&mO&Sj/&hM&u+&R]9&RQ3&l?&TjG&SfD&SqE&t'&`tB&W'&h5&Wu)&VuK&f-&[m4&
^%&x-&R~/&UQ3&SVF&YwP&R|O&RYK&e1&k;&Us#&XO&Sq=&X9&U`=&RWO&T=&Z%&bj:&[Z#&Vv5&RZI&^R.&Ue0&jM&Sp1&T;&S]
'&RT'&RyG&RT=&TjM&Su#&TnC&^u@&\i3&aaL&VT)&V-&R^%&`'&R_5&_?&s+&RVC&WlM&bX>&US9&]o#&bQ8&TVM&UT+&YS'&\i
$&d+&RnO&St1&Yf;&aiL&f)&SQG&S`E&^C&`%&RR+&Rr3&eC&S_E&S\M&G&SX/&R[?&aaH&WnK&We,&XY=&oO&UZ9&UR7&Rb9&j5
&^_:&Rh%&UxK&Rr*&TC&a'&Sb0&hN&WfC&_o6&]pM&\x,&S,&TS9&RQ9&W^;&YSH&U\K&Rj4&Zv'&Rp*&TbK&TTP&[`8&T^&&RU'
,mO)TcO,U~(&YS?&y3&l-&R9&1&RI&XZ7&WdP&r3)Ri9)RY;,R]7&Y=/R{7&=&RM&RU?&TUJ&Rd'&bY@&^?&U7&a;&R+&UE&j=&U
=&U/&e;&U;&z=&7&RQ+&Z-&RA&U3&v7&W5&X?&fE&RZ%&X'&\9&j=&Y-&fK&RT3&X;&9&$&3&/&1&S'&%&XE&SI&^K&i;&M&S7&^
/&W5&f-&W'&#&eG&RW=&VI&`G&S7&bI&S1&nI&VA&Rm-&]3&S?&^gF&Sis)&SalD,]k*&x?&T2&f,&dC&S=&_-&S-&n3&T(&SO&T
+&l9&TK&W1&C&\E&Y?&yG&1&W/&SO&^#&V)&T$&VI&RP&W3&SK&b5&TI&S3&\1&]7&X'&+&S=&RQ%&SI&b#&bI&B&TG&[O&_?&Rh
/&R_>&V1&V3&_-&W9&S1&ZI&'&X7&E&R'&TE&6&b-&f'&\G&Y)&ZE&WA&_3&YA&uE&WI&x5&dI&T#&C&]M&S9&RN&S3&(&D&T1&T
;&a?&i3&^A&]I&Z?&}G&U9&V#&VG&R=&;&S'&p?&RU;&STQC&.&SuE&SoQ*&RTK&R7&Su\I&Sj+&Y[=&SiRD&T/U8vYH[b6*R')E
47'#%'R^b)$'#%'R^c,8'#%'#+'%#'%#'%#'%#'%#'%#*'#'%#'%#'%#'%#*'#*'#'%#*'#'%#*'#'%#'%#'%#'%#'L('*/'7#'5
#Xr?Rci=Rcl?+'#R$7#Y>W'UE(%#t/h+h/(#R'hPa'`7(#6+#=a9\'[;(%#RgUE~c/~d1'%#'15'#%'#%'#%'#%VCTM<'%#'%5'%
#'$%'%#S_uCSRsP&,&5&S^[5&S]|L&T5&=&T'&V-&R3&T5&R$&WvF&Seo7&S^r*&1&C&I&S^cM&SeaH&W|-&RA&S^e#&S^d<&=&p
@&q#&5&TRcO&TRa*&?&XS2&XUG&9&RM&-&XV$&XY;&'&R+&O&9&%&E&S+&3&5&R'&7&'&#&#&S_WA&SXW:&W{J&M&S_a#&S_`8&/
&M&W?&U6&C&R5&S;&TA&R)&SM&C&R7&#&M&G&3&A&_G&\H&\K&Y>&R;&RT.&RoI&]:&RA&R'&V@&X/&$&V3&S`g3&S`d0&-&A&K&
3&SG&S`s'&SK&S`oN&S%&;&T6&W+&YkF&?&Yr-&S3&#&SaS+&S`{4&M&A&;&SaYM&SaY4&1&uE&t:&YxB&Y{5&?&T=&S,&Sar3&S
aj6&Saj;&Sah@&(&E&U5&%&ZV>&ZWG&RK&M&RM&ZZ.&Ska-&Sk`&&Z\-&)&)&K&TSi3&TSg&&Sbd+&#&SY|8&Ye(&#&Z]L&Sod3&
\c?&Sqg.&5&Z_J&ZaM&S-&7&R9&VM&Zh*&R0&Zj1&Sb{#&SbxF&V?&+&'&&&S#&K&R=&>&9&S%&K&+&R)&9&SK&TA&R;&V5&Sc];
&Sc^2&SH&UC&R+&U-&Sca%&Sc^2&U$&R,&[RB&[[%&M&R3&R@&[XN&[b3&R/&Sc}?&Scx6&]%&X>&[eB&[hI&[i<&R<&Vg7&)&VY
5&U2&W_)&_r$&Yi/&+&/&SA&8&SdcK&SoT$&[v7&V&&YM&S-&Sd]O&Sd]<&UH&[A&\Q$&\S%&U-&T'&Y/&Sd^G&Sd\<&\_8&\b;&
SdoO&SdmD&\b4&\cC&RO&R+&%&Sd~5&XW6&X\+&Sd|D&Seb1&Se]4&?&U6&X?&RE&S9&S2&RE&A&=&SeY%&Se\<&[M&SE&\zN&]Q
#&*&Se]O&SefL&a-&Se\I&S'&Se[&&V#&R*&(&][0&]]3&S-&.&S3&SVxM&SVr0&SeiO&Sef*&Set7&Sen2&=&R+&SfXM&SfVH&M
&Sfc#&ZC&SfbD&E&]u8&]v?&]v&&#&]})&M&M&K&T#&]~:&^T7&Sf~-&Sf}&&SgS'&Sf~L&S\lK&S\eL&Sgl#&R#&W'&StvP&;&^
^1&SgpG&$&RC&R)&SgqD&%&#&RK&^_L&^bE&^b*&T9&Sum)&ShVN&SC&SG&^i0&SvR7&Shb(&Shg+&RK&Shf<&U#&^r8&^v+&7&-
&Sh|7&^#&#&SiT:&^t<&SwU5&SiV6&)&^|8&Sw]%&SiT$&_TD&_UC&,&R/&SisC&Sio4&_VH&_[+&S=&SM&_^6&Sxb1&R3&Sxb$&
Sxh5&Si}(&SjS;&SjR2&U5&9&Sj_5&T+&Sj^>&Sjd5&SjcB&S^\#&Slz<&_r7&T;&_s>&_v+&Z_L&StQK&?&]m.&5&S]{,&)&T^5
&cYP&`RE&.&G&\l0&\m+&'&7&RG&SkX5&SkX6&S7&T%&T-&VP&WC&RI&UK&\0&V+&'&C&SkX=&^7&W:&Szg.&`dI&'&R;&Slq/&S
lmJ&Skh9&S{Q(&+&S{VE&]=&S{bJ&`q1&;&9&'&SG&R6&VI&RL&W=&T:&SM&R+&`z&&`~%&R5&`}N&aT'&)&Sli?&Sld<&1&aVN&
aX+&ebB&TS`'&Y#&S}W>&5&ad+&T3&WI&YI&SmU1&SmQ<&O&TM&U#&SmdI&mw4&R~hF&@&S/&R~pA&R~fD&U3&Snm+&R+&Sn_,&U
%&R5&SngE&Sng0&]5&WM&%&TP&a=&R-&Sn{=&Snk0&cb8&cd5&SnyO&TS[H&cl;&^v*&^z3&Sof9&Z/&TT[:&3&crA&So}'&TTn(
&TTt-&SpS0&#&R1&Sp^;&SpV8&cu@&cxE&V9&R+&S?&c{.&TVU3&Sp{&&^)&Y-&dc8&R3&dfE&SqqA&TWXL&TW[1&\;&VC&Sqv8&
dpN&dsA&-&1&7&1&R?&Sri))";
inline constexpr char kCombiningClasses[] = R"(
aC8V##$V%#'UG#$V%#$UC#(UG#%U5#'UG#%U5#.UG#($#'UG#+V##$V-#$V##&UG#&V##%UG$&V##'UG#$V##$V%#%UG#$V##$V&
#%V'#$V&#%V'#$V&#0V#VP(V#VF$UG#'V##$UG#&V##$UI#$UG#)V##)UG#%V##$UG#%V##$UI#$UO#$V##$-#$.#$/#$0#$1#$2
#$3#$4#$5#%6#$7#$8#$9$$:$$;#$<$$V##$UG$$5R=+V##$A#$B#$CR%$>#$?#$@#$A#$B#$C#$D#$E#%V##%UG#(V##$UG#%V#
#$UG3$FS,*V#%'V##$UG#$V#%%V#$$UG#%V##$UGF$GA$V##$UG#%V##$UG#%V##&UG#$V##%UG#$V##$UG#&V##$UG#$V##$UG#
$V##$UG#$V##$UG#%V#T9*V##$UG#$V#E'V#$,V#$&V#$(V#N&UGS?1V#$$UG#%V##$UG#%V##$UG#&V##&UG#$>#$?#$@#&V##$
UG#%V##%UG#(V#R1$*3$,&$V##$UG#%V#S.$*3$,S5$*3$,S5$*3$,S5$*3$,SF$,SF$,*$RI#$RPS,$*3$,SF$,SC$,S4%S.#$,
0'S2S3%S=1'SARA%UG>$UG$$UG$$UCR,$SH#$SI$$SK('SI%$SI$%V##$,$%V#R3$UGS7$*$%,RG$UG`@&V#e?$,B$,T6$,-$V#U
6$UOT($UI#$V##$UGUF$V##$UGR<$,7+V#%$UGR%(V##)UG#%V##$UGS=$*2$,I$V##$UG#*V#R+%,R/$*.%,R8$*T1&V#$$$#(U
G#%V##'UG#$V#$*$'$UG)$V#&%V#U1%V##$UG#*V##$UG#%V##$V'#$UA#$UG#$U5#HV#($V##$V&#$UG#$V##$UG`A%V##%$#'V
##&$#%V#'$V#&%$#$V##$UG#$V##%$#'UG#$V#ReE&V#T&$,S'CV#]%$UE#$UO#$V%#$UI#%UKS0%+_\E$V#'-V#C%V#RE%V#W#$
,U($,>5V#R.&UGH$,S&$*/$,V,$V#$%V##$UG%%V#(%V#$$V#R)$,V3$,ZkC$=aD*V##*UG#%V#f*$UGUM$UGT.(V#u=$UG$$V#K
$V##$$#$UG'$,T>$V##$UGnL$,R-$,R.$,#$*R:&V#R%%,R3$*RA$,,$*S1$,#$*TK$*#$,RF$*3$,;*V#&(V#U8$,&$*SB$,#$*
V8$,#$*SE$,S=$,#$*S:$,m.$,ZhM($R0*V#Zx$$$Sh?%UC#&$&$UM#(UC++UG%(V##%UGA'V#T-&V#Ro6*V#$4V#%*V#$%V#$(V
#RS(*UGS4)V##$*)";

}  // namespace cria
