	BpixelsJﬂ612Mq.òGµ	b…} /zπA|•EtÅE`^=L?50	,Dcà9¢Q≤j¥1o¶>rîAmtCYTAG982'3%
Pr7åMú$eû6móAoÖBgc?OC58(94.&+
Ac4~,Iê/`í4`ÅBbqF[U@G:44#553 /;# [$5s3IÑ4^á6^pA[aAQG:=/0.389"5:/+V+=j6Pz6a|CkrEb_<N@.3$! 2;>*7%B76]0Hp:X~;gÅEoxHfc>RD17("!4==$34/N8Dj2W<fèAsí?s}HmjF]N:B1')6="$5'7--X2E~1_å6x•:y•A~íHx~BcY=M?+0!